//! The pid and the pidfd of a child, and what its drop does to the child.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process;

use procession_core::Signal;
use procession_protocol::SpawnPath;

use crate::group;
use crate::launch::Policy;
use crate::orphans;
use crate::own_children::{self, KnownEnd};
use crate::scope::Branch;
use crate::sys::{self, Cloned, PeekOutcome, Place, WaitOutcome};
use crate::trace::{self, SentTo};

/// What a drop does to the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropAction {
    /// Nothing: the child is reaped, or another owner has it.
    Nothing,
    /// The child runs on, as an orphan.
    LetLive,
    Kill,
    KillGroup,
}

impl DropAction {
    /// Returns what the command's options ask for, for a child that is not reaped.
    pub(crate) fn of(policy: &Policy) -> Self {
        match policy {
            Policy { kill_on_drop: false, .. } => Self::LetLive,
            Policy { owned: true, leads_group: true, .. } => Self::KillGroup,
            _ => Self::Kill,
        }
    }
}

/// One child. Its drop leaves no zombie behind.
#[derive(Debug)]
pub(crate) struct OwnedChild {
    pub(crate) pid: u32,
    /// Its place in the table of children that end with the program. It is released before the
    /// child is reaped, or left to the child's group. It is released before the pidfd is closed, so
    /// its field comes before `pidfd`.
    pub(crate) place: Option<Place>,
    pub(crate) pidfd: Option<OwnedFd>,
    /// Its folder in its scope: what kills it kills everything in there.
    pub(crate) branch: Option<Box<Branch>>,
    pub(crate) path: SpawnPath,
    pub(crate) at_drop: DropAction,
    /// See [`Policy::launched_by`].
    pub(crate) launched_by: u32,
}

impl OwnedChild {
    pub(crate) fn new(child: Cloned, branch: Option<Box<Branch>>, policy: &Policy) -> Self {
        let Cloned { pid, place, pidfd, path } = child;
        let launched_by = policy.launched_by;
        let at_drop = DropAction::of(policy);
        Self { pid, place, pidfd, branch, path, at_drop, launched_by }
    }

    /// Gives the child away: the new owner of the pidfd, or of the number, reaps it, and releases
    /// the place before that.
    #[cfg(feature = "reactor")]
    pub(crate) fn give_away(&mut self) -> (Option<Place>, Option<OwnedFd>) {
        self.at_drop = DropAction::Nothing;
        (self.place.take(), self.pidfd.take())
    }

    pub(crate) fn as_sys(&self) -> sys::ChildId<'_> {
        sys::ChildId::of(self.pid, self.pidfd.as_ref())
    }

    /// Returns whether the child has ended, without a reap.
    pub(crate) fn peek(&self) -> PeekOutcome {
        sys::peek(self.as_sys())
    }

    /// Reaps the child if it has ended; nothing else does. A leader's pidfd is kept for its group.
    pub(crate) fn try_reap(
        &mut self,
        known: KnownEnd,
        parent_peak_kib: i64,
        leads_group: bool,
    ) -> io::Result<WaitOutcome> {
        let child = sys::ChildId::of(self.pid, self.pidfd.as_ref());
        let waited = own_children::try_reap(child, &mut self.place, known, parent_peak_kib)?;
        if waited != WaitOutcome::Running {
            self.at_drop = DropAction::Nothing;
            if !leads_group {
                self.place = None;
                self.pidfd = None;
            }
        }
        Ok(waited)
    }

    /// Releases a reaped child for which no verb waits any more: what is left of its group lives
    /// on.
    pub(crate) fn let_live(&mut self) {
        self.place = None;
    }

    /// Forgets the group that a reaped child led: it is empty for good.
    pub(crate) fn forget_group(&mut self) {
        self.place = None;
        self.pidfd = None;
    }

    /// Kills everything in its folder, if it has one.
    pub(crate) fn kill_branch(&self) {
        if let Some(branch) = &self.branch {
            branch.kill();
        }
    }

    /// Sends a signal to the group that the child leads; the error is an error number.
    pub(crate) fn signal_group(&self, signal: Signal, is_reaped: bool) -> Result<(), i32> {
        let by_pidfd = self.pidfd.as_ref().map(|pidfd| sys::send_to_group(pidfd.as_fd(), signal));
        match by_pidfd {
            // No such flag (before Linux 6.9), no such signal, or a filter: the group's number
            // shows which.
            Some(Err(errno)) if sys::is_refusal(errno) && !is_reaped => {
                group::send_by_number(self.as_sys(), signal)
            }
            Some(Err(libc::EINVAL | libc::ENOSYS)) => Err(libc::ESRCH),
            Some(result) => result,
            None if is_reaped => Err(libc::ESRCH),
            None => group::send_by_number(self.as_sys(), signal),
        }
    }
}

impl Drop for OwnedChild {
    fn drop(&mut self) {
        match self.at_drop {
            DropAction::Nothing => return,
            DropAction::LetLive => {}
            // A forked copy of this process is not the parent of the child.
            _ if self.launched_by != process::id() => return,
            // The child may have ended already.
            DropAction::Kill => {
                let sent = sys::send(self.as_sys(), Signal::KILL);
                trace::signalled(SentTo::Child, self.pid, Signal::KILL, sent.is_ok());
            }
            DropAction::KillGroup => {
                let sent = self.signal_group(Signal::KILL, false);
                trace::signalled(SentTo::Group, self.pid, Signal::KILL, sent.is_ok());
                self.kill_branch();
            }
        }
        self.place = None;
        orphans::abandon(self.pid, self.pidfd.take());
    }
}
