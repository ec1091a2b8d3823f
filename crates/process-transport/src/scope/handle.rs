//! The value, and what keeps the processes of a scope together.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use procession_core::Signal;
use rustix::event::{Timespec, poll};

#[cfg(target_os = "linux")]
use super::cgroup::Cgroup;
use super::error::ScopeError;
use super::groups::Groups;
use super::name::UsedName;
#[cfg(not(target_os = "linux"))]
use super::no_cgroup::Cgroup;

/// A container of processes: its children, and all that they start, whatever these do.
///
/// On Linux a scope is a cgroup of version 2, a folder in the program's own cgroup. A process stays in
/// it through `setsid`, double forks and the death of its parents. So [`kill`](Self::kill) and
/// [`terminate`](Self::terminate) reach what no signal to a process group reaches, and both know when
/// nothing is left. In a session of a terminal or of ssh, whose cgroup is root's, the user's systemd
/// starts a unit for the scope, and the cgroup is there. If the program gets no cgroup, a scope is the
/// process groups of its children, and what leaves these is out of reach.
/// [`mechanism`](Self::mechanism) says what it is; what process groups cannot do is an error.
///
/// [`Command::scope`](crate::Command::scope) puts a child into it, from the child's first instruction
/// on. The program itself is never moved. A scope can be cloned, sent and shared; all clones are one
/// scope. A scope that was killed, or has become empty, can be used again.
///
/// # The end
///
/// The drop of the last clone kills all that is in the scope, waits for that for at most a second, and
/// removes the folder. A [`Command`](crate::Command) with the scope is a clone too; a child is not. A
/// signal or an exit that ends the program kills what is in its scopes, after the grace of its
/// [owned](crate::Command::owned) children; see [`end_owned_groups`](crate::end_owned_groups). Linux
/// does that since 5.14, which has `cgroup.kill`; before, only the owned groups end. Then,
/// and when the program is killed, the folder stays. What is in the scope of a program that is killed
/// lives on, but for its children with a
/// [parent death signal](crate::Command::parent_death_signal).
///
/// # Examples
///
/// ```
/// use procession::{Command, Scope, ScopeMechanism, Signal};
/// use std::time::Duration;
///
/// let scope = Scope::new("doc-example")?;
/// // A daemon, which no signal to the group of its parent would reach.
/// let shell = Command::new("sh").args(["-c", "setsid sleep 600 & exit 0"]).scope(&scope);
/// assert!(shell.stdout(procession::Fd::null()).stderr(procession::Fd::null()).spawn()?.wait()?.is_ok());
/// if scope.mechanism() != ScopeMechanism::ProcessGroup {
///     let ended = scope.terminate(Signal::TERM, Duration::from_secs(5))?;
///     assert!(ended.is_gone());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Scope(Arc<ScopeState>);

/// What keeps the processes of a [`Scope`] together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopeMechanism {
    /// A cgroup of version 2. No process leaves it by `setsid` or a fork. One that may write to the folders of
    /// other cgroups, as root may, can still move itself: a scope is no sandbox.
    Cgroup,
    /// The same, in a unit that the user's systemd has started for it. A shell waits in the unit until
    /// the scope is dropped; it is a child of the program. Where only systemd may move a process there,
    /// each child asks it between its clone and its exec, which takes some milliseconds.
    SystemdUnit,
    /// The process group of each child: a process that starts a session or a group has left it.
    ProcessGroup,
}

/// One scope.
#[derive(Debug)]
struct ScopeState {
    /// After the keeper in the order of drops: the name is in use until the folder is gone.
    keeper: Keeper,
    name: UsedName,
}

/// What keeps the processes together.
#[derive(Debug)]
pub(super) enum Keeper {
    Cgroup(Box<Cgroup>),
    /// With the reason why it is no cgroup.
    Groups(Arc<Groups>, String),
}

impl Drop for ScopeState {
    fn drop(&mut self) {
        // In a forked copy, the scope is its parent's.
        if !self.name.is_own() {
            return;
        }
        match &mut self.keeper {
            Keeper::Cgroup(cgroup) => cgroup.end(),
            // A group that cannot be signalled is gone.
            Keeper::Groups(groups, _) => drop(groups.signal(Signal::KILL)),
        }
    }
}

impl Scope {
    /// Makes a scope of what keeps it.
    pub(super) fn of(keeper: Keeper, name: UsedName) -> Self {
        Self(Arc::new(ScopeState { keeper, name }))
    }

    /// Returns the name, as given.
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// Returns what keeps the processes together. It never changes.
    pub fn mechanism(&self) -> ScopeMechanism {
        match self.0.keeper {
            Keeper::Cgroup(ref cgroup) if cgroup.is_in_unit() => ScopeMechanism::SystemdUnit,
            Keeper::Cgroup(_) => ScopeMechanism::Cgroup,
            Keeper::Groups(..) => ScopeMechanism::ProcessGroup,
        }
    }

    /// Returns the folder of the cgroup.
    pub fn path(&self) -> Option<&Path> {
        match &self.0.keeper {
            Keeper::Cgroup(cgroup) => Some(cgroup.folder().path()),
            Keeper::Groups(..) => None,
        }
    }

    /// Kills all that is in it, and does not wait for that. No process escapes by starting others.
    ///
    /// # Errors
    ///
    /// The system refuses it.
    ///
    /// # References
    ///
    /// `cgroup.kill` in
    /// [cgroup-v2](https://docs.kernel.org/admin-guide/cgroup-v2.html). Before Linux 5.14 the members
    /// are frozen, killed one by one, and thawed.
    pub fn kill(&self) -> Result<(), ScopeError> {
        match &self.0.keeper {
            Keeper::Cgroup(cgroup) => cgroup.kill().map_err(self.os("kill")),
            Keeper::Groups(groups, _) => groups
                .signal(Signal::KILL)
                .map_err(io::Error::from_raw_os_error)
                .map_err(self.os("kill")),
        }
    }

    pub(super) fn keeper(&self) -> &Keeper {
        &self.0.keeper
    }

    /// Returns the cgroup for what only a cgroup can do.
    pub(super) fn cgroup(&self, what: &'static str) -> Result<&Cgroup, ScopeError> {
        match &self.0.keeper {
            Keeper::Cgroup(cgroup) => Ok(cgroup),
            Keeper::Groups(_, why) => Err(self.unsupported(
                what,
                format!("it is no cgroup but process groups, because of {why}"),
            )),
        }
    }

    pub(super) fn unsupported(&self, what: &'static str, why: String) -> ScopeError {
        ScopeError::Unsupported { what, name: self.name().to_owned(), why }
    }

    /// Returns what makes an error of the system's.
    pub(super) fn os(&self, what: &'static str) -> impl Fn(io::Error) -> ScopeError {
        let name = self.name().to_owned();
        move |error| ScopeError::Os { what, name: name.clone(), error }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), ScopeError> {
        let sent = match &self.0.keeper {
            Keeper::Cgroup(cgroup) => cgroup.signal(signal),
            Keeper::Groups(groups, _) => {
                groups.signal(signal).map_err(io::Error::from_raw_os_error)
            }
        };
        sent.map_err(self.os("signal"))
    }

    pub(super) fn is_populated(&self) -> Result<bool, ScopeError> {
        match &self.0.keeper {
            Keeper::Cgroup(cgroup) => cgroup.folder().is_populated().map_err(self.os("look into")),
            Keeper::Groups(groups, _) => Ok(groups.is_populated()),
        }
    }

    /// Waits until it is empty, or for this time; for process groups always for this time.
    pub(super) fn wait_until_empty(&self, at_most: Duration) -> Result<(), ScopeError> {
        match &self.0.keeper {
            Keeper::Cgroup(cgroup) => {
                cgroup.folder().wait_until_empty(at_most).map(drop).map_err(self.os("wait for"))
            }
            Keeper::Groups(..) => {
                let pause = Timespec::try_from(at_most).ok();
                poll(&mut [], pause.as_ref()).ok(); // a signal may cut it short
                Ok(())
            }
        }
    }
}
