//! Calls at a time: a heap, so that adding and taking the next are O(log n).
//!
//! Model: keys are (deadline, number), numbers rise with each creation and each reset; so what is
//! due runs in the order of deadlines, ties in the order of creation. Deadlines count from the
//! reactor's start, in nanoseconds, and saturate after 584 years: `Duration::MAX` is never.
//!
//! What a call is to do is dropped when it is cancelled. Its entry in the heap is only passed over:
//! an entry counts as long as its key is that of its call, and when more than half of them do not,
//! those are thrown out at once. So cancelling is O(1), and cancelled calls do not pile up.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use procession_core::WithCell;
use thiserror::Error;

use crate::core::Call;
use crate::handle::Handle;

/// Why a [`DelayedCall`] cannot be changed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TimerError {
    /// It has run, or is running.
    #[error("the call was made already")]
    AlreadyCalled,
    /// It was cancelled, or its reactor is gone.
    #[error("the call was cancelled already")]
    AlreadyCancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Waiting,
    Called,
    Cancelled,
}

/// Deadline and number.
type TimerKey = (u64, u64);

pub(crate) struct TimerState {
    /// That of the entry that counts, as long as the status is `Waiting`.
    key: Cell<TimerKey>,
    status: Cell<Status>,
    call: WithCell<Option<Call>>,
}

impl TimerState {
    /// What to call, if it is still to be called; from here on it counts as called.
    pub(crate) fn take_call(&self) -> Option<Call> {
        self.status.set(Status::Called);
        self.call.take()
    }

    /// What to drop, where nothing is borrowed.
    pub(crate) fn cancel(&self) -> Option<Call> {
        self.status.set(Status::Cancelled);
        self.call.take()
    }
}

struct Entry {
    key: TimerKey,
    state: Rc<TimerState>,
}

impl Entry {
    fn counts(&self) -> bool {
        self.state.status.get() == Status::Waiting && self.state.key.get() == self.key
    }
}

/// The earliest is the greatest: the heap has its greatest on top.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Entry {}

/// Fewer entries than this that do not count are not worth a clean-up.
const FEW: usize = 64;

/// All calls of a reactor that are still to be made.
#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Entry>,
    /// The entries that do not count.
    stale: usize,
    /// The number of the next call.
    next: u64,
}

/// From the reactor's start.
fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}

impl Timers {
    fn key(&mut self, at: Duration) -> TimerKey {
        let key = (nanos(at), self.next);
        self.next += 1;
        key
    }

    pub(crate) fn add(&mut self, at: Duration, call: Call) -> Rc<TimerState> {
        let key = self.key(at);
        let state = Rc::new(TimerState {
            key: Cell::new(key),
            status: Cell::new(Status::Waiting),
            call: WithCell::new(Some(call)),
        });
        self.heap.push(Entry { key, state: Rc::clone(&state) });
        state
    }

    /// The earliest deadline.
    pub(crate) fn first(&mut self) -> Option<Duration> {
        self.pass_over_stale();
        self.heap.peek().map(|entry| Duration::from_nanos(entry.key.0))
    }

    /// What is created or reset from now on is not below it.
    pub(crate) fn limit(&self) -> u64 {
        self.next
    }

    /// The next that is due at `now` and was there before `limit`.
    ///
    /// One that was not has a deadline that is not before `now`, so nothing due hides behind it.
    pub(crate) fn pop_due(&mut self, now: Duration, limit: u64) -> Option<Rc<TimerState>> {
        self.pass_over_stale();
        let (at, number) = self.heap.peek()?.key;
        let due = at <= nanos(now) && number < limit;
        due.then(|| self.heap.pop()).flatten().map(|entry| entry.state)
    }

    /// An entry on top counts, or there is none. What is dropped here has no call any more.
    fn pass_over_stale(&mut self) {
        while self.stale > 0 && self.heap.peek().is_some_and(|entry| !entry.counts()) {
            self.heap.pop();
            self.stale -= 1;
        }
    }

    /// One more entry does not count.
    fn on_stale(&mut self) {
        self.stale += 1;
        if self.stale > FEW && self.stale * 2 > self.heap.len() {
            self.heap.retain(Entry::counts);
            self.stale = 0;
        }
    }

    fn change(&mut self, state: &Rc<TimerState>, key: TimerKey) {
        state.key.set(key);
        self.heap.push(Entry { key, state: Rc::clone(state) });
        self.on_stale();
    }

    fn reset(&mut self, state: &Rc<TimerState>, at: Duration) {
        let key = self.key(at);
        self.change(state, key);
    }

    /// Keeps the number: a call that is overdue stays due in this turn.
    fn delay(&mut self, state: &Rc<TimerState>, by: Duration) {
        let (at, number) = state.key.get();
        let later = (at.saturating_add(nanos(by)), number);
        if later.0 != at {
            self.change(state, later);
        }
    }

    /// Everything that is still to be called.
    #[must_use]
    pub(crate) fn take_all(&mut self) -> Vec<Rc<TimerState>> {
        self.stale = 0;
        let all = std::mem::take(&mut self.heap).into_vec();
        all.into_iter().filter(Entry::counts).map(|entry| entry.state).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len() - self.stale
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("waiting", &self.len()).finish_non_exhaustive()
    }
}

/// A call that [`Handle::call_later`] will make.
///
/// Dropping it does nothing: the call is made all the same.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use procession_reactor::{Reactor, TimerError};
///
/// let mut reactor = Reactor::new()?;
/// let call = reactor.call_later(Duration::from_secs(60), |_| unreachable!());
/// assert!(call.is_active());
/// call.cancel();
/// assert_eq!(call.try_cancel(), Err(TimerError::AlreadyCancelled));
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct DelayedCall {
    state: Rc<TimerState>,
    handle: Handle,
}

impl DelayedCall {
    pub(crate) fn new(state: Rc<TimerState>, handle: Handle) -> Self {
        Self { state, handle }
    }

    /// Cancels the call; nothing happens if it was made or cancelled.
    pub fn cancel(&self) {
        // Cancelling what is over is no mistake here; `try_cancel` tells.
        self.try_cancel().ok();
    }

    /// Cancels the call.
    ///
    /// # Errors
    ///
    /// [`AlreadyCalled`](TimerError::AlreadyCalled), also from inside of the call itself, or
    /// [`AlreadyCancelled`](TimerError::AlreadyCancelled).
    pub fn try_cancel(&self) -> Result<(), TimerError> {
        self.check()?;
        let call = self.state.cancel();
        self.handle.core.timers.with(Timers::on_stale);
        drop(call);
        Ok(())
    }

    /// Has the call made `after` from now; nothing happens if it was made or cancelled.
    pub fn reset(&self, after: Duration) {
        // As for `cancel`.
        self.try_reset(after).ok();
    }

    /// Has the call made `after` from now, be it earlier or later than before.
    ///
    /// # Errors
    ///
    /// As [`try_cancel`](Self::try_cancel).
    pub fn try_reset(&self, after: Duration) -> Result<(), TimerError> {
        self.check()?;
        let at = self.handle.now().saturating_add(after);
        self.handle.core.timers.with(|timers| timers.reset(&self.state, at));
        self.handle.touch();
        Ok(())
    }

    /// Has the call made `by` later than planned; nothing happens if it was made or cancelled.
    pub fn delay(&self, by: Duration) {
        // As for `cancel`.
        self.try_delay(by).ok();
    }

    /// Has the call made `by` later than planned.
    ///
    /// # Errors
    ///
    /// As [`try_cancel`](Self::try_cancel).
    pub fn try_delay(&self, by: Duration) -> Result<(), TimerError> {
        self.check()?;
        self.handle.core.timers.with(|timers| timers.delay(&self.state, by));
        Ok(())
    }

    /// Tells whether the call is still to be made.
    #[doc(alias = "active")]
    pub fn is_active(&self) -> bool {
        self.check().is_ok()
    }

    fn check(&self) -> Result<(), TimerError> {
        match self.state.status.get() {
            Status::Waiting => Ok(()),
            Status::Called => Err(TimerError::AlreadyCalled),
            Status::Cancelled => Err(TimerError::AlreadyCancelled),
        }
    }
}

impl fmt::Debug for DelayedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelayedCall")
            .field("at", &Duration::from_nanos(self.state.key.get().0))
            .field("status", &self.state.status.get())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Box::new(|_| {})
    }

    #[test]
    fn what_is_created_during_the_step_is_not_taken_in_it() {
        let mut timers = Timers::default();
        let now = Duration::from_secs(1);
        timers.add(now, call());
        let limit = timers.limit();
        timers.add(now, call());
        assert!(timers.pop_due(now, limit).is_some());
        assert!(timers.pop_due(now, limit).is_none());
        assert_eq!(timers.len(), 1);
    }

    #[test]
    fn a_cancelled_call_leaves_nothing_behind() {
        let mut timers = Timers::default();
        let states: Vec<_> = (0..1000).map(|_| timers.add(Duration::MAX, call())).collect();
        for state in &states {
            assert!(state.cancel().is_some());
            timers.on_stale();
            assert!(timers.heap.len() <= 2 * timers.len() + FEW + 1);
        }
        assert_eq!((timers.len(), timers.first()), (0, None));
        assert_eq!(timers.heap.len(), 0);
    }

    #[test]
    fn a_changed_call_is_due_once_and_at_its_new_time() {
        let mut timers = Timers::default();
        let second = Duration::from_secs;
        let early = timers.add(second(1), call());
        let late = timers.add(second(9), call());
        timers.reset(&early, second(5));
        timers.delay(&late, second(1));
        timers.reset(&late, second(3));
        assert_eq!((timers.len(), timers.first()), (2, Some(second(3))));
        let limit = timers.limit();
        let due = timers.pop_due(second(4), limit).expect("one is due");
        assert!(Rc::ptr_eq(&due, &late) && due.take_call().is_some());
        assert!(timers.pop_due(second(4), limit).is_none());
        let due = timers.pop_due(second(20), limit).expect("the other is due");
        assert!(Rc::ptr_eq(&due, &early) && due.take_call().is_some());
        assert!(timers.pop_due(second(20), limit).is_none());
        assert_eq!(timers.len(), 0);
    }
}
