//! Orphans: children whose owner dropped them or whose reactor is gone. Every later spawn and wait,
//! and every live reactor, reaps them, without callbacks.

#[cfg(feature = "reactor")]
use std::mem;
use std::os::fd::OwnedFd;

#[cfg(feature = "reactor")]
use procession_core::Signal;
#[cfg(feature = "reactor")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::adopted;
use crate::own_children::{KnownEnd, try_reap};
use crate::sys::{self, ProcessMutex, WaitOutcome};
use crate::watchers;

/// A child without an owner.
#[derive(Debug)]
pub(crate) struct Orphan {
    pub(crate) pid: u32,
    pub(crate) pidfd: Option<OwnedFd>,
}

impl Orphan {
    /// Returns whether nothing is left to reap.
    pub(crate) fn try_reap(&self) -> bool {
        // Its former owner has released its place.
        let waited = try_reap(self.child(), &mut None, KnownEnd::Unknown, i64::MAX);
        !matches!(waited, Ok(WaitOutcome::Running))
    }

    fn child(&self) -> sys::ChildId<'_> {
        sys::ChildId::of(self.pid, self.pidfd.as_ref())
    }

    /// Waits for a millisecond, or until the pidfd reports the end.
    #[cfg(feature = "reactor")]
    fn wait_a_moment(&self) {
        let mut fds: Vec<_> =
            self.pidfd.iter().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)).collect();
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 })).ok();
    }
}

/// The orphans of this process. Those of its parent are no children of a forked copy.
static ORPHANS: ProcessMutex<Vec<Orphan>> = ProcessMutex::new();

/// Reaps a child that nobody waits for, or puts it on the list.
pub(crate) fn abandon(pid: u32, pidfd: Option<OwnedFd>) {
    let orphan = Orphan { pid, pidfd };
    if !orphan.try_reap() {
        leave_to_others(orphan);
    }
}

fn leave_to_others(orphan: Orphan) {
    ORPHANS.lock().push(orphan);
    watchers::notify_all();
}

/// Reaps the orphans that have ended, and adopted processes if the program asked for it; called at
/// every spawn and every wait.
pub(crate) fn reap() {
    ORPHANS.lock().retain(|orphan| !orphan.try_reap());
    adopted::reap();
}

/// Removes and returns all orphans.
#[cfg(feature = "reactor")]
pub(crate) fn take_all() -> Vec<Orphan> {
    mem::take(&mut *ORPHANS.lock())
}

/// How many milliseconds to wait for a killed child before it becomes an orphan. Only a child in an
/// uninterruptible wait takes longer than a moment.
#[cfg(feature = "reactor")]
const END_AFTER_KILL_MS: u32 = 2000;

/// Kills a child that shall not run after all, with the group that it leads, and reaps it.
#[cfg(feature = "reactor")]
pub(crate) fn end_now(pid: u32, pidfd: Option<OwnedFd>, leads_group: bool) {
    let orphan = Orphan { pid, pidfd };
    if leads_group {
        crate::group::send_by_number(orphan.child(), Signal::KILL).ok(); // an empty group needs no signal
    }
    sys::send(orphan.child(), Signal::KILL).ok(); // the child may have ended already
    for _ in 0..END_AFTER_KILL_MS {
        if orphan.try_reap() {
            return;
        }
        orphan.wait_a_moment();
    }
    leave_to_others(orphan);
}
