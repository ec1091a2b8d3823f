//! Calls at a time: adding one, taking the next and changing one are O(log n), cancelling is O(1).
//!
//! Model: keys are (deadline, number), numbers rise with each creation and each reset; so what is
//! due runs in the order of deadlines, ties in the order of creation. Deadlines count from the
//! reactor's start, in nanoseconds, and saturate after 584 years: `Duration::MAX` is never.
//!
//! `slab` has what a call is to do, `queue` their order. What a call is to do is dropped when it is
//! cancelled; its entry in the queue stays until there are twice as many of these as calls that wait.

mod queue;
mod slab;

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::core::Call;
use crate::handle::Handle;
use queue::{Entry, Queue, TimerKey};
use slab::{Slab, Status, Timer, TimerId};

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
pub struct DelayedCall {
    handle: Handle,
    timer: TimerId,
}

impl DelayedCall {
    pub(crate) fn new(handle: Handle, at: Duration, call: Call) -> Self {
        let timer = handle.core.timers.with(|timers| timers.add(at, call));
        Self { handle, timer }
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
        let call = self.with(|timers, timer| timers.cancel(timer))?;
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
        let at = self.handle.now().saturating_add(after);
        self.with(|timers, timer| timers.reset(timer, at))?;
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
        self.with(|timers, timer| timers.delay(timer, by))
    }

    /// Tells whether the call is still to be made.
    #[doc(alias = "active")]
    pub fn is_active(&self) -> bool {
        self.with(|timers, timer| timers.check(timer).is_ok())
    }

    fn with<R>(&self, change: impl FnOnce(&mut Timers, TimerId) -> R) -> R {
        self.handle.core.timers.with(|timers| change(timers, self.timer))
    }
}

impl Clone for DelayedCall {
    fn clone(&self) -> Self {
        self.with(|timers, timer| timers.slab.retain(timer));
        Self { handle: self.handle.clone(), timer: self.timer }
    }
}

/// The call is made all the same; only what became of it can be forgotten then.
impl Drop for DelayedCall {
    fn drop(&mut self) {
        self.with(|timers, timer| timers.slab.release(timer));
    }
}

impl fmt::Debug for DelayedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, status) = self.with(|timers, timer| {
            let timer = timers.slab.get(timer);
            (timer.key, timer.status)
        });
        f.debug_struct("DelayedCall")
            .field("at", &Duration::from_nanos(key.at))
            .field("status", &status)
            .finish_non_exhaustive()
    }
}

/// All calls of a reactor that are still to be made.
#[derive(Default)]
pub(crate) struct Timers {
    slab: Slab,
    queue: Queue,
    /// How many are still to be made.
    waiting: usize,
    /// The number of the next call.
    next: u64,
}

/// From the reactor's start.
fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}

impl Timers {
    fn key(&mut self, at: Duration) -> TimerKey {
        let key = TimerKey { at: nanos(at), number: self.next };
        self.next += 1;
        key
    }

    /// Whoever is given the id can ask for it, until it is released.
    #[must_use]
    fn add(&mut self, at: Duration, call: Call) -> TimerId {
        let key = self.key(at);
        let timer = self.slab.add(Timer::new(key, call));
        self.queue.push(Entry { key, timer });
        self.waiting += 1;
        timer
    }

    fn first_entry(&mut self) -> Option<Entry> {
        self.queue.first(|entry| self.slab.counts(entry))
    }

    /// The earliest deadline.
    #[inline]
    pub(crate) fn first(&mut self) -> Option<Duration> {
        if self.waiting == 0 {
            return None; // often so: then a turn asks no more
        }
        self.first_deadline()
    }

    fn first_deadline(&mut self) -> Option<Duration> {
        self.first_entry().map(|entry| Duration::from_nanos(entry.key.at))
    }

    /// What is created or reset from now on is not below it.
    pub(crate) fn limit(&self) -> u64 {
        self.next
    }

    /// What to call next: is due at `now`, was there before `limit`, and counts as called from here.
    ///
    /// One that was not there has a deadline that is not before `now`, so nothing due hides behind
    /// it.
    #[inline]
    pub(crate) fn pop_due(&mut self, now: Duration, limit: u64) -> Option<Call> {
        if self.waiting == 0 {
            return None;
        }
        self.pop_before(now, limit)
    }

    fn pop_before(&mut self, now: Duration, limit: u64) -> Option<Call> {
        let first = self.first_entry()?;
        let TimerKey { at, number } = first.key;
        if at > nanos(now) || number >= limit {
            return None;
        }
        self.end_first(first, Status::Called)
    }

    /// Cancels one that still waits; returns what to drop, where nothing is borrowed.
    #[must_use]
    pub(crate) fn cancel_one(&mut self) -> Option<Call> {
        let first = self.first_entry()?;
        self.end_first(first, Status::Cancelled)
    }

    fn end_first(&mut self, first: Entry, status: Status) -> Option<Call> {
        self.waiting -= 1;
        let call = self.slab.end(first.timer, status);
        self.queue.pop(self.waiting, |entry| self.slab.counts(entry));
        call
    }

    fn check(&self, timer: TimerId) -> Result<(), TimerError> {
        match self.slab.get(timer).status {
            Status::Waiting => Ok(()),
            Status::Called => Err(TimerError::AlreadyCalled),
            Status::Cancelled => Err(TimerError::AlreadyCancelled),
        }
    }

    /// Returns what to drop, where nothing is borrowed.
    fn cancel(&mut self, timer: TimerId) -> Result<Option<Call>, TimerError> {
        self.check(timer)?;
        let call = self.slab.end(timer, Status::Cancelled);
        self.waiting -= 1;
        self.on_stale();
        Ok(call)
    }

    fn reset(&mut self, timer: TimerId, at: Duration) -> Result<(), TimerError> {
        self.check(timer)?;
        let key = self.key(at);
        self.change(timer, key);
        Ok(())
    }

    /// Keeps the number: a call that is overdue stays due in this turn.
    fn delay(&mut self, timer: TimerId, by: Duration) -> Result<(), TimerError> {
        self.check(timer)?;
        let TimerKey { at, number } = self.slab.get(timer).key;
        let later = at.saturating_add(nanos(by));
        if later != at {
            self.change(timer, TimerKey { at: later, number });
        }
        Ok(())
    }

    fn change(&mut self, timer: TimerId, key: TimerKey) {
        self.slab.get_mut(timer).key = key;
        self.queue.push(Entry { key, timer });
        self.on_stale();
    }

    fn on_stale(&mut self) {
        self.queue.on_stale(self.waiting, |entry| self.slab.counts(entry));
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("waiting", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod model;

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
        let _first = timers.add(now, call());
        let limit = timers.limit();
        let _second = timers.add(now, call());
        assert!(timers.pop_due(now, limit).is_some());
        assert!(timers.pop_due(now, limit).is_none());
        assert_eq!(timers.len(), 1);
    }

    #[test]
    fn a_cancelled_call_leaves_nothing_behind() {
        let mut timers = Timers::default();
        let ids: Vec<_> = (0..5000).map(|_| timers.add(Duration::MAX, call())).collect();
        for id in &ids {
            assert!(timers.cancel(*id).is_ok_and(|call| call.is_some()));
            assert!(timers.queue.is_tidy(timers.len()));
        }
        assert_eq!((timers.len(), timers.first()), (0, None));
        assert_eq!(timers.check(ids[0]), Err(TimerError::AlreadyCancelled));
        ids.into_iter().for_each(|id| timers.slab.release(id));
        assert_eq!(timers.slab.places(), 0);
    }

    #[test]
    fn a_changed_call_is_due_once_and_at_its_new_time() {
        let mut timers = Timers::default();
        let second = Duration::from_secs;
        let early = timers.add(second(1), call());
        let late = timers.add(second(9), call());
        assert_eq!(timers.reset(early, second(5)), Ok(()));
        assert_eq!(timers.delay(late, second(1)), Ok(()));
        assert_eq!(timers.reset(late, second(3)), Ok(()));
        assert_eq!((timers.len(), timers.first()), (2, Some(second(3))));
        let limit = timers.limit();
        assert!(timers.pop_due(second(4), limit).is_some());
        assert_eq!(timers.check(late), Err(TimerError::AlreadyCalled));
        assert!(timers.pop_due(second(4), limit).is_none());
        assert!(timers.pop_due(second(20), limit).is_some());
        assert_eq!(timers.check(early), Err(TimerError::AlreadyCalled));
        assert!(timers.pop_due(second(20), limit).is_none());
        assert_eq!(timers.len(), 0);
    }

    #[test]
    fn another_takes_the_place_only_when_nobody_can_ask_any_more() {
        let mut timers = Timers::default();
        let first = timers.add(Duration::ZERO, call());
        timers.slab.retain(first);
        assert!(timers.pop_due(Duration::ZERO, timers.limit()).is_some());
        timers.slab.release(first);
        assert_ne!(timers.add(Duration::ZERO, call()), first);
        assert_eq!(timers.cancel(first).err(), Some(TimerError::AlreadyCalled));
        timers.slab.release(first);
        assert_eq!(timers.add(Duration::ZERO, call()), first);
        assert_eq!(timers.check(first), Ok(()));
    }
}
