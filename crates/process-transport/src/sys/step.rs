//! The steps of a launch, which name what failed.

/// The step at which a spawn failed. The variants are in the order in which the steps run.
///
/// Steps up to [`Step::Clone`] and the last one run in the parent; the others run in the child
/// before its exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The command is invalid; nothing was made or started.
    Validate,
    /// Looking up users and groups.
    Resolve,
    /// Making the pipes, socketpairs and files of the fd map.
    Pipe,
    /// Opening and preparing the pseudo-terminal.
    Pty,
    /// `clone(2)`.
    Clone,
    /// Putting the descriptors on their numbers in the child.
    FdMap,
    /// Joining the cgroup of a [`Scope`](crate::Scope): writing to its `cgroup.procs`.
    Scope,
    /// `setsid(2)`.
    Session,
    /// Acquiring the controlling terminal.
    ControllingTerminal,
    /// `setpgid(2)`.
    ProcessGroup,
    /// `setrlimit(2)`.
    Limits,
    /// `umask(2)`.
    Umask,
    /// `setpriority(2)`, `sched_setaffinity(2)` and `oom_score_adj`.
    Priority,
    /// `chdir(2)`; the error's subject is the directory.
    Chdir,
    /// `setgroups(2)`.
    Groups,
    /// `setresgid(2)`.
    Gid,
    /// `setresuid(2)`.
    Uid,
    /// Clearing the ambient capability set (`PR_CAP_AMBIENT` in `prctl(2)`).
    Capabilities,
    /// `prctl(PR_SET_PDEATHSIG)`.
    ParentDeathSignal,
    /// Signal dispositions and mask, and `pre_exec` closures.
    Signals,
    /// `execve(2)`; the error's subject is the program, as given.
    Exec,
    /// Giving the child to the reactor. Either the reactor is gone, which is found before anything
    /// is made, or it cannot watch more descriptors (`epoll_ctl(2)`: ENOSPC); then the child, which
    /// already runs, is killed.
    Register,
}

impl Step {
    const ALL: [Self; 22] = [
        Self::Validate,
        Self::Resolve,
        Self::Pipe,
        Self::Pty,
        Self::Clone,
        Self::FdMap,
        Self::Scope,
        Self::Session,
        Self::ControllingTerminal,
        Self::ProcessGroup,
        Self::Limits,
        Self::Umask,
        Self::Priority,
        Self::Chdir,
        Self::Groups,
        Self::Gid,
        Self::Uid,
        Self::Capabilities,
        Self::ParentDeathSignal,
        Self::Signals,
        Self::Exec,
        Self::Register,
    ];

    /// Returns the step's position, starting at 1: 0 in the shared cell means no failure.
    pub(crate) const fn number(self) -> u32 {
        self as u32 + 1
    }

    /// Returns the step with this [`number`](Step::number).
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        Self::ALL.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn a_step_number_converts_back_to_its_step() {
        for step in Step::ALL {
            assert_eq!(Step::from_number(step.number()), Some(step));
        }
        assert_eq!(Step::from_number(0), None);
        assert_eq!(Step::from_number(23), None);
    }
}
