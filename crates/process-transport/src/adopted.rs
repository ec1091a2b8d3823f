//! Reaps the children that this process did not start but adopted, as the first process of a PID
//! namespace or as a subreaper.
//!
//! # Model
//!
//! A look asks the kernel for the first child that has ended, without reaping it: among the members
//! of each known group, or among all children. If the child is not ours, it is reaped. If it is
//! ours, it waits for its owner and hides the children behind it; its reap therefore repeats the
//! look. If the program reaps all adopted children, those behind it are checked one by one, as far
//! as /proc lists them.
//!
//! An unknown number may be that of a child that another thread is just starting. It is not touched
//! until every launch that had begun when it was first seen is over.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::own_children::{OwnChildren, ReapScope, own_children};
use crate::sys::{self, ChildSet, FirstEnded, PeekOutcome, ProcessMutex, WaitOutcome};

/// Whether the program has asked for it.
static IS_ASKED_FOR: AtomicBool = AtomicBool::new(false);

/// The numbers that were seen during launches, each with the count of launches begun by then.
static SIGHTED: ProcessMutex<BTreeMap<u32, u64>> = ProcessMutex::new();

/// Makes this process reap adopted children from now on; the widest choice so far counts.
#[cfg(feature = "reactor")]
pub(crate) fn begin(adopts: ReapScope) {
    let mut own = own_children();
    own.adopts = own.adopts.max(adopts);
    IS_ASKED_FOR.store(true, Ordering::SeqCst);
}

/// The result of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookOutcome {
    Done,
    /// The look could not tell whether a child is ours.
    Again,
}

/// Reaps adopted children that have ended, if the program asked for it.
pub(crate) fn reap() -> LookOutcome {
    if !IS_ASKED_FOR.load(Ordering::SeqCst) {
        return LookOutcome::Done;
    }
    let mut sighted = SIGHTED.lock();
    let mut own = own_children();
    let mut look =
        AdoptedReaper { own: &mut own, before: std::mem::take(&mut sighted), now: BTreeMap::new() };
    match look.own.adopts {
        ReapScope::Nobody => {}
        ReapScope::Members => look.at_groups(),
        ReapScope::Everybody => look.at_everybody(),
    }
    *sighted = look.now;
    if sighted.is_empty() { LookOutcome::Done } else { LookOutcome::Again }
}

struct AdoptedReaper<'a> {
    own: &'a mut OwnChildren,
    /// The numbers that earlier looks could not tell from children of ours.
    before: BTreeMap<u32, u64>,
    /// The numbers that this look cannot tell from children of ours.
    now: BTreeMap<u32, u64>,
}

impl AdoptedReaper<'_> {
    fn at_groups(&mut self) {
        for group in self.own.groups() {
            if self.at_all(ChildSet::Group(group)) == FirstEnded::NoChild {
                self.own.on_nobody_in(group);
            }
        }
    }

    fn at_everybody(&mut self) {
        if let FirstEnded::Child(_) = self.at_all(ChildSet::Everybody) {
            self.own.hides = true;
            // Until then, reap those that can be found in another way.
            self.at_groups();
            for pid in numbers() {
                if sys::peek(sys::ChildId::Pid(pid)) == PeekOutcome::Ended {
                    self.reap(pid);
                }
            }
        }
    }

    /// Reaps adopted children up to the first that must stay; returns that one, if any.
    fn at_all(&mut self, among: ChildSet) -> FirstEnded {
        loop {
            match sys::first_ended(among) {
                FirstEnded::Child(pid) => {
                    if !self.reap(pid) {
                        self.own.hides = true;
                        return FirstEnded::Child(pid);
                    }
                }
                nobody => return nobody,
            }
        }
    }

    /// Reaps an ended child if it is adopted; returns whether it did.
    fn reap(&mut self, pid: u32) -> bool {
        if self.own.has(pid) {
            return false;
        }
        let begun = self.own.launches();
        if self.own.is_launching() {
            let launches = self.before.get(&pid).copied().unwrap_or(begun);
            if !self.own.are_over(launches) {
                self.now.insert(pid, launches);
                return false;
            }
        }
        // A tracer may hold it.
        let waited = sys::try_reap(sys::ChildId::Pid(pid), &mut None, i64::MAX);
        matches!(waited, Ok(WaitOutcome::Reaped(..) | WaitOutcome::Kept(_) | WaitOutcome::Lost(_)))
    }
}

/// Returns the numbers of all processes; empty if /proc is not that of this PID namespace.
#[cfg(target_os = "linux")]
fn numbers() -> Vec<u32> {
    if !crate::group::is_own_proc() {
        return Vec::new();
    }
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(not(target_os = "linux"))]
fn numbers() -> Vec<u32> {
    Vec::new()
}
