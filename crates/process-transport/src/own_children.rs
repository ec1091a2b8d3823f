//! The children of this process that this library started, which distinguishes them from adopted
//! ones.
//!
//! # Model
//!
//! A child is known from before its clone, as a running launch, until its reap. Both ends of this
//! time are marked under the lock that guards every lookup here. So an unknown number is no child
//! of ours. [`try_reap`] is the only place that reaps one of ours.
//!
//! A group is known as long as its leader is a child of ours. After the leader's reap the group is
//! *left*, if this process reaps what it adopts and has a child in the group, for as long as it has
//! one there. Nobody else reaps such a child, so no other group can get the number meanwhile. When
//! a leader ends, its children become this process's children before the leader can be reaped.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::{self, ChildSet, FirstEnded, PeekOutcome, Place, ProcessMutex, WaitOutcome};
use crate::trace;
use crate::watchers;

/// Which adopted processes this process reaps beside its own children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[cfg_attr(not(feature = "reactor"), expect(dead_code, reason = "it is asked for on a loop"))]
pub(crate) enum ReapScope {
    /// Only those that a termination meets in its group.
    #[default]
    Nobody,
    /// Members of groups that children of ours lead or led.
    Members,
    Everybody,
}

/// A child of ours that is not reaped: the launch that it came from, times two; and one more if it leads
/// the group of its number. One number, because each of many children has an entry.
#[derive(Debug, Clone, Copy)]
struct OwnChild(u64);

impl OwnChild {
    fn new(launch: u64, leads_group: bool) -> Self {
        Self(launch << 1 | u64::from(leads_group))
    }

    fn leads_group(self) -> bool {
        self.0 & 1 == 1
    }

    fn launch(self) -> u64 {
        self.0 >> 1
    }
}

/// The known children of this process. A forked copy begins without any.
#[derive(Default)]
pub(crate) struct OwnChildren {
    pub(crate) adopts: ReapScope,
    /// Each child by its number.
    own: BTreeMap<u32, OwnChild>,
    /// The running launches, in the order in which they began, each with the group that it joins. There
    /// are as many as threads that launch.
    launching: Vec<(u64, Option<u32>)>,
    /// Groups whose leader is reaped.
    left: BTreeSet<u32>,
    /// An unreaped child of ours hid other children from a look.
    pub(crate) hides: bool,
}

static OWN: ProcessMutex<OwnChildren> = ProcessMutex::new();

/// How many launches have begun; changed under the lock. A forked copy continues the count, so that no
/// launch has the number of one of its parent's.
static LAUNCHES: AtomicU64 = AtomicU64::new(0);

/// Locks the list. No watcher is notified, and no thread parks, under this lock.
pub(crate) fn own_children() -> MutexGuard<'static, OwnChildren> {
    OWN.lock()
}

impl OwnChildren {
    /// Returns whether this number is a child of ours that is not reaped.
    pub(crate) fn has(&self, pid: u32) -> bool {
        self.own.contains_key(&pid)
    }

    /// Returns whether an unknown number may be a child whose launch is running.
    pub(crate) fn is_launching(&self) -> bool {
        !self.launching.is_empty()
    }

    /// Returns how many launches have begun so far.
    pub(crate) fn launches(&self) -> u64 {
        LAUNCHES.load(Ordering::Relaxed)
    }

    /// Returns whether each of the first `launches` launches is over.
    pub(crate) fn are_over(&self, launches: u64) -> bool {
        self.launching.first().is_none_or(|(oldest, _)| *oldest >= launches)
    }

    /// Returns whether a running launch joins the group.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_joined_now(&self, group: u32) -> bool {
        self.launching.iter().any(|(_, joins)| *joins == Some(group))
    }

    /// Returns the groups that children of ours lead or led.
    pub(crate) fn groups(&self) -> Vec<u32> {
        let led = self.own.iter().filter(|(_, child)| child.leads_group()).map(|(pid, _)| *pid);
        led.chain(self.left.iter().copied()).collect()
    }

    /// Forgets a left group in which this process has no child.
    pub(crate) fn on_nobody_in(&mut self, group: u32) {
        self.left.remove(&group);
    }

    fn on_reaped(&mut self, pid: u32) {
        let has_led = self.own.remove(&pid).is_some_and(OwnChild::leads_group);
        let is_left = has_led && self.adopts != ReapScope::Nobody;
        if is_left && sys::first_ended(ChildSet::Group(pid)) != FirstEnded::NoChild {
            self.left.insert(pid);
        }
    }
}

/// A running launch, until its drop.
#[must_use = "its child is known to it alone"]
pub(crate) struct RunningLaunch(u64);

/// Begins a launch; `joins` is the group of another process that the child joins.
pub(crate) fn launching(joins: Option<u32>) -> RunningLaunch {
    let mut own = own_children();
    let serial = LAUNCHES.fetch_add(1, Ordering::Relaxed);
    own.launching.push((serial, joins));
    RunningLaunch(serial)
}

/// Returns whether this number is a child that is not reaped, and came from this launch.
pub(crate) fn is_of_launch(pid: u32, launch: u64) -> bool {
    own_children().own.get(&pid).is_some_and(|child| child.launch() == launch)
}

impl RunningLaunch {
    /// Returns the number of the launch, which no other launch has.
    pub(crate) fn number(&self) -> u64 {
        self.0
    }

    /// Records the child that was cloned.
    pub(crate) fn born(self, pid: u32, leads_group: bool) {
        let mut own = own_children();
        // If other code has reaped the rest of a group with this number, this is a new group.
        own.left.remove(&pid);
        own.own.insert(pid, OwnChild::new(self.0, leads_group));
    }
}

impl Drop for RunningLaunch {
    fn drop(&mut self) {
        own_children().launching.retain(|(serial, _)| *serial != self.0);
    }
}

/// What the caller of [`try_reap`] knows of the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KnownEnd {
    Unknown,
    /// It has ended. A tracer may still hold it.
    Ended,
}

impl KnownEnd {
    /// Returns what a readable pidfd tells. On other systems the descriptor is no pidfd.
    pub(crate) fn seen(is_readable: bool) -> Self {
        if is_readable && cfg!(target_os = "linux") { Self::Ended } else { Self::Unknown }
    }
}

/// Reaps a child of ours if it has ended; before that, releases its place or leaves it to its
/// group.
pub(crate) fn try_reap(
    child: sys::ChildId<'_>,
    place: &mut Option<Place>,
    known: KnownEnd,
    parent_peak_kib: i64,
) -> io::Result<WaitOutcome> {
    if place.is_some() {
        // A child that a tracer holds needs its place no more than one that is reaped.
        if known == KnownEnd::Unknown && sys::peek(child) == PeekOutcome::Running {
            return Ok(WaitOutcome::Running);
        }
        // Not under the lock, because it may wait for the end of the program.
        *place = place.take().and_then(Place::before_reap);
    }
    let mut own = own_children();
    let waited = sys::try_reap(child, &mut None, parent_peak_kib)?;
    if waited == WaitOutcome::Running {
        return Ok(waited);
    }
    let (sys::ChildId::Fd(_, pid) | sys::ChildId::Pid(pid)) = child;
    own.on_reaped(pid);
    let has_hidden = mem::take(&mut own.hides);
    drop(own);
    trace::exited(pid, &waited);
    if has_hidden {
        watchers::notify_all();
    }
    Ok(waited)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use procession_test_support::sys::{alarm, assert_exits_with_0, fork};

    use super::*;
    use crate::Command;

    /// The lock is held, and a launch runs, while the program forks.
    #[test]
    fn a_forked_copy_neither_waits_for_its_parents_launches_nor_knows_its_children() {
        let launch = launching(None);
        let held = own_children();
        let copy = fork(|| {
            alarm(Duration::from_secs(20));
            assert!(!own_children().is_launching());
            let mut child = Command::new("/bin/true").spawn().expect("it starts");
            assert!(child.wait().expect("it ends").is_ok());
            0
        });
        drop(held);
        drop(launch);
        assert_exits_with_0(copy, "the copy");
    }
}
