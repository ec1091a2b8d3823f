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
    #[error("cannot change the delayed call: it was made already")]
    AlreadyCalled,
    /// It was cancelled, or its reactor is gone.
    #[error("cannot change the delayed call: it was cancelled already")]
    AlreadyCancelled,
}

/// A call that [`Handle::call_later`] will make.
///
/// Dropping it does nothing: the call is made all the same.
///
/// # Examples
///
/// ```
/// use procession::{Reactor, TimerError};
/// use std::time::Duration;
///
/// let mut reactor = Reactor::new()?;
/// let call = reactor.call_later(Duration::from_secs(60), |_| unreachable!());
/// assert!(call.is_active());
/// call.cancel();
/// assert_eq!(call.try_cancel(), Err(TimerError::AlreadyCancelled));
/// # std::io::Result::Ok(())
/// ```
#[doc(alias = "IDelayedCall")]
pub struct DelayedCall {
    handle: Handle,
    timer: TimerId,
}

impl DelayedCall {
    pub(crate) fn new(handle: Handle, at: Duration, call: Call, patience: u8) -> Self {
        let timer = handle.core.timers.with(|timers| timers.add_patient(at, call, patience));
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

    #[cfg(test)]
    #[must_use]
    fn add(&mut self, at: Duration, call: Call) -> TimerId {
        self.add_patient(at, call, 0)
    }

    /// Whoever is given the id can ask for it, until it is released.
    #[must_use]
    fn add_patient(&mut self, at: Duration, call: Call, patience: u8) -> TimerId {
        let key = self.key(at);
        let timer = self.slab.add(Timer::new(key, call, patience));
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
    /// it. One with patience is put off to the next turn, unless this one is quiet.
    #[inline]
    pub(crate) fn pop_due(
        &mut self,
        now: Duration,
        limit: u64,
        is_quiet: impl Fn() -> bool,
    ) -> Option<Call> {
        while self.waiting > 0 {
            let first = self.first_entry()?;
            let TimerKey { at, number } = first.key;
            if at > nanos(now) || number >= limit {
                return None;
            }
            if self.slab.get(first.timer).patience == 0 || is_quiet() {
                return self.end_first(first, Status::Called);
            }
            self.put_off(first.timer, now);
        }
        None
    }

    #[cold]
    fn put_off(&mut self, timer: TimerId, now: Duration) {
        self.slab.get_mut(timer).patience -= 1;
        let key = self.key(now);
        self.change(timer, key);
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
mod tests;
