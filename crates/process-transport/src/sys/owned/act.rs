//! The act: every owned group gets TERM and CONT, a grace, and KILL.
//!
//! Several acts may be under way, on several threads or one inside another. Each goes through all
//! places by itself, and none waits for another. Marks in a place record what was sent; time counts
//! from the first act.

use std::ffi::c_int;
use std::sync::atomic::Ordering::SeqCst;

use super::calls::{self, KeptErrno, SIGNALS};
use super::member::{LeaderState, Member};
use super::platform::{self, FurtherSignals};
use super::scopes;
use super::slot::{Occupant, PlaceSlot};
use super::table::TablePage;

/// A signal this long after the first means that its sender will not wait. An earlier one is an
/// echo of the first.
const ESCALATES_AFTER_MS: u32 = 300;

/// How long to wait for a running clone, which takes microseconds.
const CLONE_WITHIN_MS: u32 = 1000;

/// How long to wait for processes that got KILL. The kernel needs some time to end a process with
/// much memory; a process that a debugger holds does not end at all.
const DEAD_WITHIN_MS: u32 = 1000;

/// The longest pause between two looks at the children.
const PAUSE_MS: c_int = 10;

/// Values of [`TablePage::hurry`]: whose grace is over at once.
const OF_THOSE_ASKED: i32 = 1;
const OF_ALL: i32 = 2;

/// Records that a signal has stopped the program, which then ends its children itself. When a
/// further signal comes, the children that it asked to end have no grace any more.
#[cfg(feature = "reactor")]
pub(super) fn on_program_stopped() {
    if let Some(table) = TablePage::own() {
        table.stopped.store(calls::now_ms().max(1), SeqCst);
    }
}

/// Ends the groups of the owned children of this process, and returns once that is done.
///
/// Async-signal-safe; see the page of the exported function.
pub(crate) fn end_owned_groups() {
    let _errno = KeptErrno::new();
    act(None);
    if let Some(table) = TablePage::own() {
        table.acts.end();
    }
}

/// A signal that was delivered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause {
    pub(super) signal: c_int,
    /// The address of our handler, which shows the other signals that have it.
    pub(super) handler: usize,
}

/// Runs an act. Returns the signal of the first act that had one.
///
/// No owned child is reaped before [`Acts::end`](super::slot::Acts::end).
pub(super) fn act(cause: Option<Cause>) -> Option<c_int> {
    let table = TablePage::own()?;
    let is_first = table.began.compare_exchange(0, calls::now_ms().max(1), SeqCst, SeqCst).is_ok();
    if let Some(Cause { signal, .. }) = cause {
        table.cause.compare_exchange(0, signal, SeqCst, SeqCst).ok();
    }
    if !is_first && cause.is_none_or(|cause| cause.signal != libc::SIGHUP) {
        escalate(table);
    }
    if cause.is_some_and(|cause| cause.signal != libc::SIGHUP) && is_stopped_for_long(table) {
        table.hurry.fetch_max(OF_THOSE_ASKED, SeqCst);
    }
    table.acts.begin();
    let mut further = FurtherSignals::new(escalating(cause));
    let mut pause = 1;
    while is_waited_for(table) {
        if further.came_within(pause) {
            escalate(table);
        }
        pause = (pause * 2).min(PAUSE_MS);
    }
    for slot in table.slots() {
        if let Occupant::Child(child) = slot.occupant() {
            platform::kill_group(child);
        }
    }
    // After the groups: a scope has no grace of its own.
    scopes::kill_all(&table.scopes);
    wait_for_the_killed(table);
    Some(table.cause.load(SeqCst)).filter(|signal| *signal != 0)
}

/// Waits until no process of the children and their groups lives, for at most [`DEAD_WITHIN_MS`]. A
/// further signal does not shorten it.
fn wait_for_the_killed(table: &'static TablePage) {
    let killed = calls::now_ms();
    let mut pause = 1;
    while is_anybody_left(table) && since_ms(killed) < DEAD_WITHIN_MS {
        calls::pause(pause);
        pause = (pause * 2).min(PAUSE_MS);
    }
}

/// Ends every grace because of a further signal, unless the signal comes too early.
fn escalate(table: &TablePage) {
    if elapsed_ms(table) >= ESCALATES_AFTER_MS {
        table.hurry.fetch_max(OF_ALL, SeqCst);
    }
}

/// Returns whether a signal stopped the program so long ago that the current one is not its echo.
fn is_stopped_for_long(table: &TablePage) -> bool {
    let stopped = table.stopped.load(SeqCst);
    stopped != 0 && since_ms(stopped) >= ESCALATES_AFTER_MS
}

fn elapsed_ms(table: &TablePage) -> u32 {
    since_ms(table.began.load(SeqCst))
}

fn since_ms(then: u32) -> u32 {
    let elapsed = calls::now_ms().wrapping_sub(then);
    // The clock wraps around, and its value 0 counts as 1: one millisecond in the future counts as
    // none.
    if elapsed.cast_signed() < 0 { 0 } else { elapsed }
}

/// Returns the signals that end every grace, as far as they would end this process. HUP is not one
/// of them: a shell whose terminal is closed sends it twice within a millisecond, and does not mean
/// to hurry.
fn escalating(cause: Option<Cause>) -> impl Iterator<Item = c_int> {
    let is_ours = move |&signal: &c_int| {
        cause.is_some_and(|cause| {
            cause.signal == signal || calls::disposition(signal) == cause.handler
        })
    };
    SIGNALS.into_iter().filter(|signal| *signal != libc::SIGHUP).filter(is_ours)
}

/// What a place still has to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remaining {
    Nobody,
    /// The child, which runs or is about to run.
    Child,
    /// What the child may have left in its group.
    Group,
}

/// Sends what is due, and returns whether a child or a group has time left.
fn is_waited_for(table: &'static TablePage) -> bool {
    let has_time = |slot: &PlaceSlot, child| !is_over(table, slot, child);
    is_somebody_left(table, |slot| attend_to(table, slot), has_time)
}

/// Returns whether any process lives after all have got KILL.
fn is_anybody_left(table: &'static TablePage) -> bool {
    let remaining_in = |slot: &PlaceSlot| match slot.occupant() {
        Occupant::Child(child) => remaining_of(child),
        Occupant::Nobody | Occupant::Starting => Remaining::Nobody,
    };
    is_somebody_left(table, remaining_in, |_, _| true)
}

/// Checks every place; if only groups are left, checks whether the ones in question have live
/// members.
fn is_somebody_left(
    table: &'static TablePage,
    look_at: impl Fn(&PlaceSlot) -> Remaining,
    is_asked: impl Fn(&PlaceSlot, Member) -> bool,
) -> bool {
    let (mut children, mut groups) = (0, 0);
    // All places are checked, because each child must get its TERM.
    for slot in table.slots() {
        match look_at(slot) {
            Remaining::Nobody => {}
            Remaining::Child => children += 1,
            Remaining::Group => groups += 1,
        }
    }
    children > 0 || groups > 0 && is_a_group_left(table, is_asked)
}

fn attend_to(table: &TablePage, slot: &PlaceSlot) -> Remaining {
    match slot.occupant() {
        Occupant::Nobody => Remaining::Nobody,
        Occupant::Starting if elapsed_ms(table) < CLONE_WITHIN_MS => Remaining::Child,
        Occupant::Starting => Remaining::Nobody,
        Occupant::Child(child) => {
            if is_over(table, slot, child) {
                if slot.mark_kill_sent() {
                    platform::kill_group(child);
                }
                return Remaining::Nobody;
            }
            if slot.mark_term_sent() {
                platform::end_gently(child);
            }
            remaining_of(child)
        }
    }
}

fn remaining_of(child: Member) -> Remaining {
    match platform::leader_of(child) {
        LeaderState::Runs => Remaining::Child,
        LeaderState::Ended if child.leads_group => Remaining::Group,
        LeaderState::Ended | LeaderState::Gone => Remaining::Nobody,
    }
}

/// Returns whether the grace of the child and its group is over.
fn is_over(table: &TablePage, slot: &PlaceSlot, child: Member) -> bool {
    let hurry = if slot.is_asked_to_end() { OF_THOSE_ASKED } else { OF_ALL };
    elapsed_ms(table) >= child.grace_ms || table.hurry.load(SeqCst) >= hurry
}

/// Returns whether a group in question has a live member; false if that cannot be known.
fn is_a_group_left(
    table: &'static TablePage,
    is_asked: impl Fn(&PlaceSlot, Member) -> bool,
) -> bool {
    let is_asked = |group: c_int| {
        table.slots().any(|slot| match slot.occupant() {
            Occupant::Child(child) => child.pid == group && is_asked(slot, child),
            Occupant::Nobody | Occupant::Starting => false,
        })
    };
    // A process that ends during the first look may have started another one, with a number that
    // the look had already passed.
    (0..2).any(|_| platform::is_any_alive(is_asked) == Some(true))
}
