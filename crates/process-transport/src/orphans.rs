//! Orphans: children whose owner dropped them or whose reactor is gone. Every later spawn and wait,
//! and every live reactor, reaps them, without callbacks.

use std::mem;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(feature = "reactor")]
use procession_core::Signal;
#[cfg(feature = "reactor")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::adopted;
use crate::own_children::{KnownEnd, try_reap};
use crate::sys::{self, ProcessMark, WaitOutcome};
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

/// The orphans of one process.
struct OrphanList {
    /// The mark of the process that they belong to; `None` before the first one.
    of: Option<ProcessMark>,
    orphans: Vec<Orphan>,
}

static ORPHANS: Mutex<OrphanList> = Mutex::new(OrphanList { of: None, orphans: Vec::new() });

/// Returns the orphans of this process. A forked copy inherits the list, but these are not its
/// children, and it may have opened other files on the numbers of their pidfds. So it forgets them.
fn orphan_list() -> MutexGuard<'static, OrphanList> {
    let mut orphan_list = ORPHANS.lock().unwrap_or_else(PoisonError::into_inner);
    if orphan_list.of.as_ref().is_some_and(|mark| !mark.is_own()) {
        orphan_list.of = None;
        mem::forget(mem::take(&mut orphan_list.orphans));
    }
    orphan_list
}

/// Reaps a child that nobody waits for, or puts it on the list.
pub(crate) fn abandon(pid: u32, pidfd: Option<OwnedFd>) {
    let orphan = Orphan { pid, pidfd };
    if !orphan.try_reap() {
        leave_to_others(orphan);
    }
}

fn leave_to_others(orphan: Orphan) {
    let mut orphan_list = orphan_list();
    if orphan_list.of.is_none() {
        // Without memory for a page, a forked copy cannot notice that it is one; that is no reason
        // to lose an orphan.
        orphan_list.of = ProcessMark::new().ok();
    }
    orphan_list.orphans.push(orphan);
    drop(orphan_list);
    watchers::notify_all();
}

/// Reaps the orphans that have ended, and adopted processes if the program asked for it; called at
/// every spawn and every wait.
pub(crate) fn reap() {
    orphan_list().orphans.retain(|orphan| !orphan.try_reap());
    adopted::reap();
}

/// Removes and returns all orphans.
#[cfg(feature = "reactor")]
pub(crate) fn take_all() -> Vec<Orphan> {
    mem::take(&mut orphan_list().orphans)
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
