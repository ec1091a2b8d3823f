//! Delayed calls. Adding one, taking the next and changing one are O(log n). Cancelling is O(1).
//!
//! Model: keys are (deadline, number). Numbers rise with each creation and each reset. So calls
//! that are due run in the order of deadlines, and ties in the order of creation. Deadlines count
//! from the reactor's start, in nanoseconds, and saturate after 584 years: `Duration::MAX` is
//! never.
//!
//! `slab` holds the calls, `queue` their order. A cancelled call is dropped at once. Its entry
//! stays in the queue until there are twice as many such entries as waiting calls.

mod queue;
mod slab;

use std::fmt;
use std::io;
use std::time::Duration;

use procession_core::driver::Patience;
pub(crate) use queue::TimerId;
use queue::{TimerEntry, TimerKey, TimerQueue};
pub(crate) use slab::TimerStatus;
use slab::{Timer, TimerSlab};
use thiserror::Error;

/// Why a [`DelayedCall`](crate::DelayedCall) cannot be changed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TimerError {
    /// The call was already made, or is running.
    #[error("cannot change the delayed call: it was made already")]
    AlreadyCalled,
    /// The call was cancelled, or its reactor is gone.
    #[error("cannot change the delayed call: it was cancelled already")]
    AlreadyCancelled,
}

/// Has the kind `NotFound`, because no such call waits any more, and keeps the error.
impl From<TimerError> for io::Error {
    fn from(error: TimerError) -> Self {
        Self::new(io::ErrorKind::NotFound, error)
    }
}

/// The calls of a reactor that are still to be made.
pub(crate) struct Timers<C> {
    slab: TimerSlab<C>,
    queue: TimerQueue,
    /// The number of calls that are still to be made.
    waiting: usize,
    /// The number of the next call.
    next: u64,
}

/// Returns the nanoseconds since the reactor's start.
#[inline]
fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}

impl<C> Default for Timers<C> {
    fn default() -> Self {
        Self { slab: TimerSlab::default(), queue: TimerQueue::default(), waiting: 0, next: 0 }
    }
}

impl<C> Timers<C> {
    fn key(&mut self, at: Duration) -> TimerKey {
        let key = TimerKey { at: nanos(at), number: self.next };
        self.next += 1;
        key
    }

    #[cfg(test)]
    #[must_use]
    fn add(&mut self, at: Duration, call: C) -> TimerId {
        self.add_patient(at, call, Patience::NONE)
    }

    /// Adds a call. The caller owns a reference to the id, until it releases it.
    #[inline]
    #[must_use]
    pub(crate) fn add_patient(&mut self, at: Duration, call: C, patience: Patience) -> TimerId {
        let key = self.key(at);
        let timer = self.slab.add(Timer::new(key, call, patience));
        self.queue.push(TimerEntry { key, timer });
        self.waiting += 1;
        timer
    }

    fn first_entry(&mut self) -> Option<TimerEntry> {
        self.queue.first(|entry| self.slab.counts(entry))
    }

    /// Returns the earliest deadline.
    #[inline]
    pub(crate) fn first(&mut self) -> Option<Duration> {
        if self.waiting == 0 {
            return None; // a common case, which needs no more work
        }
        self.first_deadline()
    }

    fn first_deadline(&mut self) -> Option<Duration> {
        self.first_entry().map(|entry| Duration::from_nanos(entry.key.at))
    }

    /// Returns this step's limit: calls that are created or reset from now on are not below it.
    pub(crate) fn limit(&self) -> u64 {
        self.next
    }

    /// Takes the next call that is due at `now` and has a number below `limit`. The call counts as
    /// made from here on.
    ///
    /// A call with a later number has a deadline that is not before `now`, so no due call is hidden
    /// behind it. A call with patience is put off to the next turn, unless it was put off before and this
    /// turn is quiet. The turn in which it becomes due may have looked for events before the deadline:
    /// the process may have been stopped since.
    #[inline]
    pub(crate) fn pop_due(
        &mut self,
        now: Duration,
        limit: u64,
        is_quiet: impl Fn() -> bool,
    ) -> Option<C> {
        while self.waiting > 0 {
            let first = self.first_entry()?;
            let TimerKey { at, number } = first.key;
            if at > nanos(now) || number >= limit {
                return None;
            }
            let timer = self.slab.get(first.timer);
            if !timer.is_patient() || timer.was_put_off() && is_quiet() {
                return self.end_first(first, TimerStatus::Called);
            }
            self.put_off(first.timer, now);
        }
        None
    }

    #[cold]
    fn put_off(&mut self, timer: TimerId, now: Duration) {
        let key = self.key(now);
        self.slab.get_mut(timer).lose_patience(key.at);
        self.change(timer, key);
    }

    /// Cancels one waiting call. Returns it, to be dropped where nothing is borrowed.
    #[must_use]
    pub(crate) fn cancel_one(&mut self) -> Option<C> {
        let first = self.first_entry()?;
        self.end_first(first, TimerStatus::Cancelled)
    }

    fn end_first(&mut self, first: TimerEntry, status: TimerStatus) -> Option<C> {
        self.waiting -= 1;
        let call = self.slab.end(first.timer, status);
        self.queue.pop(self.waiting, |entry| self.slab.counts(entry));
        call
    }

    pub(crate) fn check(&self, timer: TimerId) -> Result<(), TimerError> {
        match self.slab.get(timer).status {
            TimerStatus::Waiting => Ok(()),
            TimerStatus::Called => Err(TimerError::AlreadyCalled),
            TimerStatus::Cancelled => Err(TimerError::AlreadyCancelled),
        }
    }

    /// Cancels a call. Returns it, to be dropped where nothing is borrowed.
    pub(crate) fn cancel(&mut self, timer: TimerId) -> Result<Option<C>, TimerError> {
        self.check(timer)?;
        let call = self.slab.end(timer, TimerStatus::Cancelled);
        self.waiting -= 1;
        self.on_stale();
        Ok(call)
    }

    pub(crate) fn reset(&mut self, timer: TimerId, at: Duration) -> Result<(), TimerError> {
        self.check(timer)?;
        let key = self.key(at);
        self.change(timer, key);
        Ok(())
    }

    /// Moves a call, and keeps its number, so an overdue call stays due in this turn.
    pub(crate) fn delay(&mut self, timer: TimerId, by: Duration) -> Result<(), TimerError> {
        self.check(timer)?;
        let TimerKey { at, number } = self.slab.get(timer).key;
        let later = at.saturating_add(nanos(by));
        if later != at {
            self.change(timer, TimerKey { at: later, number });
        }
        Ok(())
    }

    /// Returns the time of the call and its status.
    pub(crate) fn time_and_status(&self, timer: TimerId) -> (Duration, TimerStatus) {
        let timer = self.slab.get(timer);
        (Duration::from_nanos(timer.key.at), timer.status)
    }

    /// Adds a reference to the timer.
    pub(crate) fn retain(&mut self, timer: TimerId) {
        self.slab.retain(timer);
    }

    /// Releases a reference to the timer.
    pub(crate) fn release(&mut self, timer: TimerId) {
        self.slab.release(timer);
    }

    fn change(&mut self, timer: TimerId, key: TimerKey) {
        self.slab.get_mut(timer).key = key;
        self.queue.push(TimerEntry { key, timer });
        self.on_stale();
    }

    fn on_stale(&mut self) {
        self.queue.on_stale(self.waiting, |entry| self.slab.counts(entry));
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting
    }
}

impl<C> fmt::Debug for Timers<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("waiting", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests;
