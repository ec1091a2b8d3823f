//! Passes over /proc, each for all groups of this thread that wait to be seen empty.
//!
//! # Model
//!
//! A group is *awaited* from the first signal of the termination that acts on it. A survey looks
//! for one group, and also for other awaited groups that it may help: those whose leaders have
//! ended and of which nothing is known yet. Its findings are kept and answer later looks at these
//! groups:
//!
//! - "Nobody lives" stays true, because the dead start no process. So this finding answers as long
//!   as the group is awaited, however old it is.
//! - A member that was alive may have ended. So each look checks again; while that member lives, it
//!   reads one process instead of /proc. Once the member has ended, others will have ended too: the
//!   next survey also covers every group with a member that was known to live.
//!
//! So a group costs a survey of its own only if its state has changed since the last one: the
//! number of surveys does not grow with the number of groups that end together.
//!
//! A member may start another one whose number the pass has already gone by, and then end. So
//! nobody lives only if two passes found nobody; each pass begins after the one before it is over.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process;

use procession_protocol::driver::GroupState;

use super::proc::{is_own_proc, stat_of};
use crate::own_children::own_children;
use crate::sys::{self, PeekOutcome};

thread_local! {
    static AWAITED: RefCell<BTreeMap<u32, AwaitedGroup>> = const { RefCell::new(BTreeMap::new()) };
}

/// What is known of a group that waits to be seen empty.
#[derive(Debug, Default)]
struct AwaitedGroup {
    /// How many looks wait for it. One may belong to a finished termination of an earlier group
    /// with this number.
    times: usize,
    found: Option<GroupFinding>,
}

/// What a survey found out about one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GroupFinding {
    Alive(u32),
    /// Nobody is alive; whether the pass saw the leader, as a zombie of ours.
    Nobody {
        saw_leader: bool,
    },
    Unknown,
}

/// The looks at one group, which is awaited until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct GroupLook {
    /// The awaited group; 0 for none yet.
    group: u32,
    /// The member that the last look found alive. It goes with this value to other threads.
    alive: Option<u32>,
}

impl GroupLook {
    /// Announces looks at the group: from now on other surveys keep what they see of it.
    pub(crate) fn expect(&mut self, group: u32) {
        if self.group == 0 && group > 1 && i32::try_from(group).is_ok() {
            self.group = group;
            let count = |all: &RefCell<BTreeMap<u32, AwaitedGroup>>| {
                let mut all = all.borrow_mut();
                let awaited = all.entry(group).or_default();
                awaited.times += 1;
                awaited.found = None; // it concerned an earlier group of this number
            };
            // On an ending thread there is nothing to share.
            AWAITED.try_with(count).ok();
        }
    }

    /// Looks whether any process lives in the group that a child of ours leads or led.
    pub(crate) fn look(&mut self, group: u32, is_reaped: bool) -> GroupState {
        self.expect(group);
        if group == 0 || self.group != group {
            return GroupState::Unknown;
        }
        let known = known_of(group).or_else(|| self.alive.map(GroupFinding::Alive));
        if let Some(state) = known.and_then(|found| found.still_says(group, is_reaped)) {
            return state;
        }
        if !is_own_proc() {
            return GroupState::Unknown;
        }
        let found = survey(open_beside(group, known.is_some()));
        let found_here = found.get(&group).copied();
        self.alive = match found_here {
            Some(GroupFinding::Alive(pid)) => Some(pid),
            _ => None,
        };
        keep(&found);
        found_here.map_or(GroupState::Unknown, |found| found.state(is_reaped))
    }

    /// Awaits nothing any more on this thread. The next look may be on another one.
    pub(crate) fn leave_thread(&mut self) {
        if self.group == 0 {
            return;
        }
        let forget = |all: &RefCell<BTreeMap<u32, AwaitedGroup>>| {
            let mut all = all.borrow_mut();
            let Some(awaited) = all.get_mut(&self.group) else { return };
            awaited.times -= 1;
            if awaited.times == 0 {
                all.remove(&self.group);
            }
        };
        AWAITED.try_with(forget).ok(); // no later look on this thread needs it
        self.group = 0;
    }
}

impl Drop for GroupLook {
    fn drop(&mut self) {
        self.leave_thread();
    }
}

impl GroupFinding {
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

    /// Returns its state if the finding is still true and says something.
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

fn known_of(group: u32) -> Option<GroupFinding> {
    AWAITED.try_with(|all| all.borrow().get(&group)?.found).ok().flatten()
}

/// The groups of a survey, with its findings so far.
type SurveyedGroups = BTreeMap<u32, GroupFinding>;

const NOBODY_YET: GroupFinding = GroupFinding::Nobody { saw_leader: false };

/// Returns the group, and the other groups that the same survey looks for.
fn open_beside(group: u32, with_alive: bool) -> SurveyedGroups {
    let is_open = |number: u32, awaited: &AwaitedGroup| match awaited.found {
        None => sys::peek(sys::ChildId::Pid(number)) != PeekOutcome::Running,
        Some(GroupFinding::Alive(_)) => with_alive,
        Some(GroupFinding::Nobody { .. } | GroupFinding::Unknown) => false,
    };
    let others = AWAITED.try_with(|all| {
        let all = all.borrow();
        let open = all.iter().filter(|(number, awaited)| is_open(**number, awaited));
        open.map(|(number, _)| (*number, NOBODY_YET)).collect::<SurveyedGroups>()
    });
    let mut open = others.unwrap_or_default();
    open.insert(group, NOBODY_YET);
    open
}

/// Keeps the findings for later looks.
fn keep(found: &SurveyedGroups) {
    let keep = |all: &RefCell<BTreeMap<u32, AwaitedGroup>>| {
        let mut all = all.borrow_mut();
        for (group, found) in found {
            if let Some(awaited) = all.get_mut(group) {
                awaited.found = Some(*found).filter(|found| *found != GroupFinding::Unknown);
            }
        }
    };
    AWAITED.try_with(keep).ok(); // then the next look reads /proc itself
}

fn survey(mut open: SurveyedGroups) -> SurveyedGroups {
    for _ in 0..2 {
        if pass(&mut open).is_err() {
            open.values_mut().filter(|found| found.is_nobody()).for_each(|found| {
                *found = GroupFinding::Unknown;
            });
        }
    }
    open
}

/// Looks for a live member of each group in which none was found before.
fn pass(open: &mut SurveyedGroups) -> io::Result<()> {
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
        // This call costs a fiftieth of reading the file, and nearly all processes belong to other
        // groups.
        match sys::group_of(number) {
            Ok(of) if !open.get(&of.cast_unsigned()).is_some_and(GroupFinding::is_nobody) => {
                continue;
            }
            Err(libc::ESRCH) => continue,
            _ => {}
        }
        let Some(state) = stat_of(number)? else { continue };
        let group = state.group.cast_unsigned();
        let Some(found) = open.get_mut(&group).filter(|found| found.is_nobody()) else { continue };
        if state.is_alive {
            *found = GroupFinding::Alive(number);
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        } else if state.parent == own {
            if number == group {
                *found = GroupFinding::Nobody { saw_leader: true };
            }
            reap_adopted(number, group);
        }
    }
    Ok(())
}

/// Reaps a zombie of the group, unless this library has started it.
fn reap_adopted(number: u32, group: u32) {
    let own = own_children();
    if number != group && !own.has(number) && !own.is_joined_now(group) {
        // A tracer may still hold it.
        sys::try_reap(sys::ChildId::Pid(number), &mut None, i64::MAX).ok();
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
    fn a_finding_about_an_earlier_group_of_the_number_is_not_used() {
        let own = rustix::process::getpgrp().as_raw_nonzero().get().cast_unsigned();
        let mut earlier = GroupLook::default();
        earlier.expect(own);
        keep(&SurveyedGroups::from([(own, NOBODY_YET)]));
        assert_eq!(earlier.look(own, true), GroupState::Empty, "as it was said");
        let mut later = GroupLook::default();
        assert_eq!(later.look(own, true), GroupState::Alive);
        drop(earlier);
        assert_eq!(later.look(own, true), GroupState::Alive);
        drop(later);
        assert!(AWAITED.with_borrow(BTreeMap::is_empty));
    }
}
