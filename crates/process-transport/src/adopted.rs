//! Reaping the children that nobody of this process has started: those that it adopts, as the first
//! process of a PID namespace or as a subreaper.
//!
//! # Model
//!
//! A look asks the kernel for the first child that has ended, and does not reap it: among the members
//! of each known group, or among all children. One that is not ours is reaped. One that is ours waits
//! for whoever has it, and hides those behind it: its reap has the look repeated. Where everybody is
//! reaped, those behind are looked at one by one, as far as /proc tells who there is.
//!
//! A number that is unknown may be that of a child that is just being made by another thread. It is not
//! touched before every launch that had begun when it was first seen is over.

use crate::own_children::{Adopts, OwnChildren, own_children};
use crate::sys::{self, Among, FirstEnded, Peeked, Waited};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Somebody has asked for it.
static IS_ASKED_FOR: AtomicBool = AtomicBool::new(false);

/// The numbers that were seen while launches were under way, and how many had begun then.
static SIGHTED: Mutex<BTreeMap<u32, u64>> = Mutex::new(BTreeMap::new());

/// Has this process reap whom it adopts from now on; a wider choice than before counts.
#[cfg(feature = "reactor")]
pub(crate) fn begin(adopts: Adopts) {
    let mut own = own_children();
    own.adopts = own.adopts.max(adopts);
    IS_ASKED_FOR.store(true, Ordering::SeqCst);
}

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looked {
    Done,
    /// It could not tell whether somebody is a child of ours.
    Again,
}

/// Reaps those who have ended, if it was asked for.
pub(crate) fn reap() -> Looked {
    if !IS_ASKED_FOR.load(Ordering::SeqCst) {
        return Looked::Done;
    }
    let mut sighted = SIGHTED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut own = own_children();
    let mut look =
        Look { own: &mut own, before: std::mem::take(&mut sighted), now: BTreeMap::new() };
    match look.own.adopts {
        Adopts::Nobody => {}
        Adopts::Members => look.at_groups(),
        Adopts::Everybody => look.at_everybody(),
    }
    *sighted = look.now;
    if sighted.is_empty() { Looked::Done } else { Looked::Again }
}

struct Look<'a> {
    own: &'a mut OwnChildren,
    /// Whom the looks before could not tell.
    before: BTreeMap<u32, u64>,
    /// Whom this one cannot tell.
    now: BTreeMap<u32, u64>,
}

impl Look<'_> {
    fn at_groups(&mut self) {
        for group in self.own.groups() {
            if self.at_all(Among::Group(group)) == FirstEnded::NoChild {
                self.own.on_nobody_in(group);
            }
        }
    }

    fn at_everybody(&mut self) {
        if let FirstEnded::Child(_) = self.at_all(Among::Everybody) {
            self.own.hides = true;
            // Meanwhile, those that can be found without.
            self.at_groups();
            for pid in numbers() {
                if sys::peek(sys::Child::Pid(pid)) == Peeked::Ended {
                    self.reap(pid);
                }
            }
        }
    }

    /// Reaps as far as nobody stands before others who is not to be reaped; who does, if anybody.
    fn at_all(&mut self, among: Among) -> FirstEnded {
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

    /// Reaps a child that has ended, if it is adopted.
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
        // A tracer may have it.
        let waited = sys::try_reap(sys::Child::Pid(pid), &mut None, i64::MAX);
        matches!(waited, Ok(Waited::Reaped(..) | Waited::Kept(_) | Waited::Lost(_)))
    }
}

/// The numbers of all processes; none where /proc is not that of this PID namespace.
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
