//! Passes over /proc, each for all groups of this thread that wait to be seen empty.
//!
//! # Model
//!
//! A termination that acts on a group has it *awaited* from its first signal on. A survey looks for
//! one group, and for those of the others that it may help: their leaders have ended, and nothing is
//! known of them yet. What it finds is kept, and answers the looks at those:
//!
//! - That nobody lives stays true: the dead begin nobody. So it is an answer as long as the group is
//!   awaited, however old it is.
//! - Who was alive may have ended. Each look asks again, and where it was true a moment ago a process
//!   is read instead of /proc. Where it is true no longer, others will have ended too: the survey that
//!   follows is also for all groups of which somebody was known to live.
//!
//! So a group costs a survey of its own only if what was known of it has changed since the last one:
//! the number of surveys does not grow with the number of groups that end together.
//!
//! A member may have begun another one, with a number that was passed already, and have ended itself.
//! So nobody lives where two passes have found nobody; each begins when the one before it is over.

use super::proc::{is_own_proc, stat_of};
use crate::own_children::own_children;
use crate::sys::{self, Peeked};
use procession_protocol::GroupState;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process;

thread_local! {
    static AWAITED: RefCell<BTreeMap<u32, Awaited>> = const { RefCell::new(BTreeMap::new()) };
}

/// What is known of a group that waits to be seen empty.
#[derive(Debug, Default)]
struct Awaited {
    /// How many wait for it: a termination that is over, of an earlier group of this number, perhaps.
    times: usize,
    found: Option<Found>,
}

/// What a survey found of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Alive(u32),
    /// Nobody is alive; whether the leader was seen, a zombie of ours.
    Nobody {
        saw_leader: bool,
    },
    Unknown,
}

/// The looks at one group, which is awaited until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct GroupLook {
    /// 0 where none is awaited yet.
    group: u32,
}

impl GroupLook {
    /// The group will be looked at: what is seen of it on the way is kept.
    pub(crate) fn expect(&mut self, group: u32) {
        if self.group == 0 && group > 1 && i32::try_from(group).is_ok() {
            self.group = group;
            let count = |all: &RefCell<BTreeMap<u32, Awaited>>| {
                let mut all = all.borrow_mut();
                let awaited = all.entry(group).or_default();
                awaited.times += 1;
                awaited.found = None; // which was of an earlier group of this number
            };
            // Where the thread is ending there is nothing to share.
            AWAITED.try_with(count).ok();
        }
    }

    /// Looks whether anybody lives of the group that a child of ours leads, or led.
    pub(crate) fn look(&mut self, group: u32, is_reaped: bool) -> GroupState {
        self.expect(group);
        if group == 0 || self.group != group {
            return GroupState::Unknown;
        }
        let known = known_of(group);
        if let Some(state) = known.and_then(|found| found.still_says(group, is_reaped)) {
            return state;
        }
        if !is_own_proc() {
            return GroupState::Unknown;
        }
        let found = survey(open_beside(group, known.is_some()));
        let state = found.get(&group).map_or(GroupState::Unknown, |found| found.state(is_reaped));
        keep(&found);
        state
    }
}

impl Drop for GroupLook {
    fn drop(&mut self) {
        if self.group == 0 {
            return;
        }
        let forget = |all: &RefCell<BTreeMap<u32, Awaited>>| {
            let mut all = all.borrow_mut();
            let Some(awaited) = all.get_mut(&self.group) else { return };
            awaited.times -= 1;
            if awaited.times == 0 {
                all.remove(&self.group);
            }
        };
        AWAITED.try_with(forget).ok(); // nobody asks any more
    }
}

impl Found {
    fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody { .. })
    }

    fn state(self, is_reaped: bool) -> GroupState {
        match self {
            Self::Alive(_) => GroupState::Alive,
            Self::Nobody { saw_leader } if saw_leader || is_reaped => GroupState::Empty,
            Self::Nobody { .. } | Self::Unknown => GroupState::Unknown,
        }
    }

    /// What it says now, if that is the same.
    fn still_says(self, group: u32, is_reaped: bool) -> Option<GroupState> {
        let is_same = match self {
            Self::Alive(pid) => {
                let state = stat_of(pid).ok().flatten();
                state.is_some_and(|state| state.group.cast_unsigned() == group && state.is_alive)
            }
            Self::Nobody { .. } => true,
            Self::Unknown => false,
        };
        is_same.then(|| self.state(is_reaped)).filter(|state| *state != GroupState::Unknown)
    }
}

fn known_of(group: u32) -> Option<Found> {
    AWAITED.try_with(|all| all.borrow().get(&group)?.found).ok().flatten()
}

/// The groups of a survey, and what it has found so far.
type Open = BTreeMap<u32, Found>;

const NOBODY_YET: Found = Found::Nobody { saw_leader: false };

/// A group, and those of the others that are to be looked for with it.
fn open_beside(group: u32, with_alive: bool) -> Open {
    let is_open = |number: u32, awaited: &Awaited| match awaited.found {
        None => sys::peek(sys::Child::Pid(number)) != Peeked::Running,
        Some(Found::Alive(_)) => with_alive,
        Some(Found::Nobody { .. } | Found::Unknown) => false,
    };
    let others = AWAITED.try_with(|all| {
        let all = all.borrow();
        let open = all.iter().filter(|(number, awaited)| is_open(**number, awaited));
        open.map(|(number, _)| (*number, NOBODY_YET)).collect::<Open>()
    });
    let mut open = others.unwrap_or_default();
    open.insert(group, NOBODY_YET);
    open
}

/// Keeps what was found for the looks that follow.
fn keep(found: &Open) {
    let keep = |all: &RefCell<BTreeMap<u32, Awaited>>| {
        let mut all = all.borrow_mut();
        for (group, found) in found {
            if let Some(awaited) = all.get_mut(group) {
                awaited.found = Some(*found).filter(|found| *found != Found::Unknown);
            }
        }
    };
    AWAITED.try_with(keep).ok(); // the next look reads /proc by itself then
}

fn survey(mut open: Open) -> Open {
    for _ in 0..2 {
        if pass(&mut open).is_err() {
            open.values_mut().filter(|found| found.is_nobody()).for_each(|found| {
                *found = Found::Unknown;
            });
        }
    }
    open
}

/// Looks for somebody of each group in which nobody was found before.
fn pass(open: &mut Open) -> io::Result<()> {
    let mut left = 0;
    for found in open.values_mut().filter(|found| found.is_nobody()) {
        *found = NOBODY_YET;
        left += 1;
    }
    if left == 0 {
        return Ok(());
    }
    let own = process::id().cast_signed();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A fiftieth of what reading the file takes. Nearly all are somebody else's.
        match sys::group_of(number) {
            Ok(of) if !open.get(&of.cast_unsigned()).is_some_and(Found::is_nobody) => continue,
            Err(libc::ESRCH) => continue,
            _ => {}
        }
        let Some(state) = stat_of(number)? else { continue };
        let group = state.group.cast_unsigned();
        let Some(found) = open.get_mut(&group).filter(|found| found.is_nobody()) else { continue };
        if state.is_alive {
            *found = Found::Alive(number);
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        } else if state.parent == own {
            if number == group {
                *found = Found::Nobody { saw_leader: true };
            }
            reap_adopted(number, group);
        }
    }
    Ok(())
}

/// Reaps a zombie of the group, unless it is a child that we have started.
fn reap_adopted(number: u32, group: u32) {
    let own = own_children();
    if number != group && !own.has(number) && !own.is_joined_now(group) {
        // A tracer may still hold it.
        sys::try_reap(sys::Child::Pid(number), &mut None, i64::MAX).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_cannot_be_ours_is_unknown() {
        for group in [0, 1, u32::MAX] {
            assert_eq!(GroupLook::default().look(group, true), GroupState::Unknown);
        }
        let own = rustix::process::getpgrp().as_raw_nonzero().get().cast_unsigned();
        assert_eq!(GroupLook::default().look(own, true), GroupState::Alive);
        assert_eq!(GroupLook::default().look(4_194_305, true), GroupState::Empty);
        assert_eq!(GroupLook::default().look(4_194_305, false), GroupState::Unknown);
    }

    #[test]
    fn what_was_known_of_an_earlier_group_of_the_number_is_no_answer() {
        let own = rustix::process::getpgrp().as_raw_nonzero().get().cast_unsigned();
        let mut earlier = GroupLook::default();
        earlier.expect(own);
        keep(&Open::from([(own, NOBODY_YET)]));
        assert_eq!(earlier.look(own, true), GroupState::Empty, "as it was said");
        let mut later = GroupLook::default();
        assert_eq!(later.look(own, true), GroupState::Alive);
        drop(earlier);
        assert_eq!(later.look(own, true), GroupState::Alive);
        drop(later);
        assert!(AWAITED.with_borrow(BTreeMap::is_empty));
    }
}
