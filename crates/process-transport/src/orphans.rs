//! Children that nobody waits for any more: whoever spawned them dropped them, or their reactor is
//! gone. They are reaped by every later spawn and wait, and by every live reactor, without callbacks.

use crate::adopted;
use crate::own_children::try_reap;
use crate::sys::{self, Mark, Waited};
use crate::watchers;
#[cfg(feature = "reactor")]
use procession_core::Signal;
#[cfg(feature = "reactor")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A child without anybody.
#[derive(Debug)]
pub(crate) struct Orphan {
    pub(crate) pid: u32,
    pub(crate) pidfd: Option<OwnedFd>,
}

impl Orphan {
    /// Whether nothing is left to reap.
    pub(crate) fn try_reap(&self) -> bool {
        // Whoever abandoned it has given its place back.
        !matches!(try_reap(self.child(), &mut None, i64::MAX), Ok(Waited::Running))
    }

    fn child(&self) -> sys::Child<'_> {
        sys::Child::of(self.pid, self.pidfd.as_ref())
    }

    /// For a millisecond; not as long where a pidfd tells of the end.
    #[cfg(feature = "reactor")]
    fn wait_a_moment(&self) {
        let mut fds: Vec<_> =
            self.pidfd.iter().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)).collect();
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 })).ok();
    }
}

/// The orphans of one process.
struct Waiting {
    /// Whose they are; `None` before the first one.
    of: Option<Mark>,
    orphans: Vec<Orphan>,
}

static WAITING: Mutex<Waiting> = Mutex::new(Waiting { of: None, orphans: Vec::new() });

/// Those of this process. A forked copy has inherited its parent's, which are no children of its own,
/// and may have opened files of its own on the numbers of their pidfds: it forgets them.
fn waiting() -> MutexGuard<'static, Waiting> {
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.of.as_ref().is_some_and(|mark| !mark.is_own()) {
        waiting.of = None;
        mem::forget(mem::take(&mut waiting.orphans));
    }
    waiting
}

/// Takes a child that nobody waits for.
pub(crate) fn abandon(pid: u32, pidfd: Option<OwnedFd>) {
    let orphan = Orphan { pid, pidfd };
    if !orphan.try_reap() {
        leave_to_others(orphan);
    }
}

fn leave_to_others(orphan: Orphan) {
    let mut waiting = waiting();
    if waiting.of.is_none() {
        // Without memory for a page a forked copy would not know, which is no reason to lose one.
        waiting.of = Mark::new().ok();
    }
    waiting.orphans.push(orphan);
    drop(waiting);
    watchers::tell();
}

/// Reaps those that have ended, and those that this process has adopted, where that was asked for; at
/// every spawn and every wait.
pub(crate) fn reap() {
    waiting().orphans.retain(|orphan| !orphan.try_reap());
    adopted::reap();
}

/// Hands out all that wait.
#[cfg(feature = "reactor")]
pub(crate) fn take_all() -> Vec<Orphan> {
    mem::take(&mut waiting().orphans)
}

/// For how many milliseconds a child that was killed is waited for before it is an orphan. Only one
/// in an uninterruptible wait takes longer than a moment.
#[cfg(feature = "reactor")]
const END_AFTER_KILL_MS: u32 = 2000;

/// Kills a child that is not to run after all, with the group that it leads, and reaps it.
#[cfg(feature = "reactor")]
pub(crate) fn end_now(pid: u32, pidfd: Option<OwnedFd>, leads_group: bool) {
    let orphan = Orphan { pid, pidfd };
    if leads_group {
        crate::group::send_by_number(orphan.child(), Signal::KILL).ok(); // an empty group needs nothing
    }
    sys::send(orphan.child(), Signal::KILL).ok(); // it may have ended already
    for _ in 0..END_AFTER_KILL_MS {
        if orphan.try_reap() {
            return;
        }
        orphan.wait_a_moment();
    }
    leave_to_others(orphan);
}
