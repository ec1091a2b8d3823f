//! What can go wrong between `spawn_process` and the first instruction of the program: one error,
//! which says at which step, on what, and why.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io;

/// The point of a spawn at which it failed, in running order.
///
/// Steps up to [`Step::Clone`] and the last one run in the parent, the rest in the child before its
/// exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The command makes no sense; nothing was made or started.
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
    /// `chdir(2)`; the subject is the directory.
    Chdir,
    /// `setgroups(2)`.
    Groups,
    /// `setresgid(2)`.
    Gid,
    /// `setresuid(2)`.
    Uid,
    /// `prctl(PR_SET_PDEATHSIG)`.
    ParentDeathSignal,
    /// Signal dispositions and mask, and `pre_exec` closures.
    Signals,
    /// `execve(2)`; the subject is the program, as given.
    Exec,
    /// Giving the child to the reactor: it is gone, which is found before anything is made, or cannot
    /// watch more (`epoll_ctl(2)`: ENOSPC), and the child that ran by then is killed.
    Register,
}

impl Step {
    const ALL: [Self; 20] = [
        Self::Validate,
        Self::Resolve,
        Self::Pipe,
        Self::Pty,
        Self::Clone,
        Self::FdMap,
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
        Self::ParentDeathSignal,
        Self::Signals,
        Self::Exec,
        Self::Register,
    ];

    /// The step's place in running order, starting at 1: 0 in the shared cell means no failure.
    pub(crate) const fn number(self) -> u32 {
        self as u32 + 1
    }

    /// The inverse of [`Step::number`].
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        Self::ALL.get(index).copied()
    }

    const fn doing(self) -> &'static str {
        match self {
            Self::Validate => "invalid command:",
            Self::Resolve => "cannot look up the user or group",
            Self::Pipe => "cannot make the descriptor for",
            Self::Pty => "cannot open the pseudo-terminal for",
            Self::Clone => "cannot clone a process for",
            Self::FdMap => "cannot hand on the descriptors to",
            Self::Session => "cannot start a session for",
            Self::ControllingTerminal => "cannot acquire the controlling terminal for",
            Self::ProcessGroup => "cannot set the process group of",
            Self::Limits => "cannot set a resource limit of",
            Self::Umask => "cannot set the umask of",
            Self::Priority => "cannot set the priority, the processors or the OOM score of",
            Self::Chdir => "cannot change to the directory",
            Self::Groups => "cannot set the supplementary groups of",
            Self::Gid => "cannot set the group id of",
            Self::Uid => "cannot set the user id of",
            Self::ParentDeathSignal => "cannot set the parent death signal of",
            Self::Signals => "cannot prepare the signals of",
            Self::Exec => "cannot execute",
            Self::Register => "the reactor cannot take",
        }
    }
}

/// A child that could not be started.
///
/// When it is returned nothing was called back, every descriptor made for the child is closed, the
/// child, if there was one, is reaped, and the caller's descriptors are as they were.
///
/// # Examples
///
/// ```
/// use procession_process_transport::{Command, SpawnProcess, Step};
/// use procession_protocol::ProcessProtocol;
///
/// struct Quiet;
/// impl ProcessProtocol for Quiet {}
///
/// let reactor = procession_reactor::Reactor::new()?;
/// let error = reactor.spawn_process(Quiet, Command::new("/no/such/program")).unwrap_err();
/// assert_eq!(error.step(), Step::Exec);
/// assert_eq!(error.raw_os_error(), Some(2));
/// assert_eq!(error.to_string(), "cannot execute \"/no/such/program\"");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{} {subject:?}{}{detail}", step.doing(), if detail.is_empty() { "" } else { ": " })]
#[non_exhaustive]
pub struct SpawnError {
    step: Step,
    subject: OsString,
    /// What number and text of the source do not say; often empty.
    detail: Cow<'static, str>,
    source: io::Error,
}

impl SpawnError {
    pub(crate) fn new(
        step: Step,
        subject: impl AsRef<OsStr>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self {
            step,
            subject: subject.as_ref().to_owned(),
            detail: Cow::Borrowed(""),
            source: source.into(),
        }
    }

    pub(crate) fn os(step: Step, subject: impl AsRef<OsStr>, errno: i32) -> Self {
        Self::new(step, subject, io::Error::from_raw_os_error(errno))
    }

    pub(crate) fn invalid(subject: impl AsRef<OsStr>) -> Self {
        Self::os(Step::Validate, subject, libc::EINVAL)
    }

    /// Adds to the message what the subject alone leaves open.
    pub(crate) fn because(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The step that failed.
    pub fn step(&self) -> Step {
        self.step
    }

    /// What it failed on: the program, the directory, the argument, the option.
    pub fn subject(&self) -> &OsStr {
        &self.subject
    }

    /// Why: what the system answered.
    pub fn io_error(&self) -> &io::Error {
        &self.source
    }

    /// The error number, as in `errno(3)`.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }

    /// The kind of [`SpawnError::io_error`].
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// Keeps the kind, and the error itself: as [`get_ref`](io::Error::get_ref), and as what is printed.
impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> Self {
        Self::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn a_step_survives_the_way_through_the_shared_cell() {
        for step in Step::ALL {
            assert_eq!(Step::from_number(step.number()), Some(step));
        }
        assert_eq!(Step::from_number(0), None);
        assert_eq!(Step::from_number(21), None);
    }
}
