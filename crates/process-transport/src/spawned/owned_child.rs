//! The pid and the pidfd of a child that is not reaped, and what becomes of it when nobody has it any
//! more.

use crate::group;
use crate::launch::Policy;
use crate::orphans;
use crate::own_children;
use crate::sys::{self, Cloned, Peeked, Place, Waited};
use procession_core::Signal;
use procession_protocol::SpawnPath;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process;

/// What a drop does to the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtDrop {
    /// It is reaped, or somebody else's.
    Nothing,
    /// It runs on, as an orphan.
    LetLive,
    Kill,
    KillGroup,
}

impl AtDrop {
    /// What the command said, for a child that is not reaped.
    pub(crate) fn of(policy: &Policy) -> Self {
        match policy {
            Policy { kill_on_drop: false, .. } => Self::LetLive,
            Policy { owned: true, leads_group: true, .. } => Self::KillGroup,
            _ => Self::Kill,
        }
    }
}

/// One child, which leaves no zombie behind.
#[derive(Debug)]
pub(crate) struct OwnedChild {
    pub(crate) pid: u32,
    /// Given back before the child is reaped, or left to its group, and given back before the pidfd is
    /// closed: it stands before that.
    pub(crate) place: Option<Place>,
    pub(crate) pidfd: Option<OwnedFd>,
    pub(crate) path: SpawnPath,
    pub(crate) at_drop: AtDrop,
    /// See [`Policy::launched_by`].
    pub(crate) launched_by: u32,
}

impl OwnedChild {
    pub(crate) fn new(child: Cloned, policy: &Policy) -> Self {
        let Cloned { pid, place, pidfd, path } = child;
        let launched_by = policy.launched_by;
        Self { pid, place, pidfd, path, at_drop: AtDrop::of(policy), launched_by }
    }

    /// Lets go of the child: whoever has the pidfd, or else the number, reaps it, and gives the place
    /// back before that.
    #[cfg(feature = "reactor")]
    pub(crate) fn give_away(&mut self) -> (Option<Place>, Option<OwnedFd>) {
        self.at_drop = AtDrop::Nothing;
        (self.place.take(), self.pidfd.take())
    }

    pub(crate) fn as_sys(&self) -> sys::Child<'_> {
        sys::Child::of(self.pid, self.pidfd.as_ref())
    }

    /// Looks whether it has ended, and does not reap it.
    pub(crate) fn peek(&self) -> Peeked {
        sys::peek(self.as_sys())
    }

    /// Reaps it if it has ended: the one place that does. A leader's pidfd is kept for its group.
    pub(crate) fn try_reap(
        &mut self,
        parent_peak_kib: i64,
        leads_group: bool,
    ) -> io::Result<Waited> {
        let child = sys::Child::of(self.pid, self.pidfd.as_ref());
        let waited = own_children::try_reap(child, &mut self.place, parent_peak_kib)?;
        if waited != Waited::Running {
            self.at_drop = AtDrop::Nothing;
            if !leads_group {
                self.place = None;
                self.pidfd = None;
            }
        }
        Ok(waited)
    }

    /// It is reaped, and nobody waits for anything of it any more: what it has left lives on.
    pub(crate) fn let_live(&mut self) {
        self.place = None;
    }

    /// It is reaped, and the group that it led is empty, for good.
    pub(crate) fn forget_group(&mut self) {
        self.place = None;
        self.pidfd = None;
    }

    /// Sends a signal to the group that it leads; the error is an error number.
    pub(crate) fn signal_group(&self, signal: Signal, is_reaped: bool) -> Result<(), i32> {
        let by_pidfd = self.pidfd.as_ref().map(|pidfd| sys::send_to_group(pidfd.as_fd(), signal));
        match by_pidfd {
            // No such flag (before Linux 6.9), no such signal, or a filter: the number answers which.
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
            AtDrop::Nothing => return,
            AtDrop::LetLive => {}
            // A forked copy has no children of its parent.
            _ if self.launched_by != process::id() => return,
            // It may have ended already.
            AtDrop::Kill => drop(sys::send(self.as_sys(), Signal::KILL)),
            AtDrop::KillGroup => drop(self.signal_group(Signal::KILL, false)),
        }
        self.place = None;
        orphans::abandon(self.pid, self.pidfd.take());
    }
}
