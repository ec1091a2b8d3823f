//! Calls at a time: a search tree, so that adding, cancelling and taking the next are O(log n) and
//! a cancelled call leaves nothing behind.
//!
//! Model: keys are (deadline, number), numbers rise with each creation and each reset; so what is
//! due runs in the order of deadlines, ties in the order of creation. Deadlines count from the
//! reactor's start and saturate: `Duration::MAX` is never.

use std::cell::Cell;
use std::collections::BTreeMap;
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

type TimerKey = (Duration, u64);

pub(crate) struct TimerState {
    /// In the tree, as long as the status is `Waiting`.
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

/// All calls of a reactor that are still to be made.
#[derive(Default)]
pub(crate) struct Timers {
    queue: BTreeMap<TimerKey, Rc<TimerState>>,
    /// The number of the next call.
    next: u64,
}

impl Timers {
    fn key(&mut self, at: Duration) -> TimerKey {
        let key = (at, self.next);
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
        self.queue.insert(key, Rc::clone(&state));
        state
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<Duration> {
        self.queue.first_key_value().map(|(key, _)| key.0)
    }

    /// What is created or reset from now on is not below it.
    pub(crate) fn limit(&self) -> u64 {
        self.next
    }

    /// The next that is due at `now` and was there before `limit`.
    ///
    /// One that was not has a deadline that is not before `now`, so nothing due hides behind it.
    pub(crate) fn pop_due(&mut self, now: Duration, limit: u64) -> Option<Rc<TimerState>> {
        let entry = self.queue.first_entry()?;
        let &(at, number) = entry.key();
        (at <= now && number < limit).then(|| entry.remove())
    }

    fn remove(&mut self, state: &TimerState) -> Option<Rc<TimerState>> {
        self.queue.remove(&state.key.get())
    }

    fn reset(&mut self, state: &TimerState, at: Duration) {
        if let Some(entry) = self.queue.remove(&state.key.get()) {
            let key = self.key(at);
            state.key.set(key);
            self.queue.insert(key, entry);
        }
    }

    /// Keeps the number: a call that is overdue stays due in this turn.
    fn delay(&mut self, state: &TimerState, by: Duration) {
        let (at, number) = state.key.get();
        if let Some(entry) = self.queue.remove(&(at, number)) {
            let key = (at.saturating_add(by), number);
            state.key.set(key);
            self.queue.insert(key, entry);
        }
    }

    #[must_use]
    pub(crate) fn take_all(&mut self) -> BTreeMap<TimerKey, Rc<TimerState>> {
        std::mem::take(&mut self.queue)
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
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
        let entry = self.handle.core.timers.with(|timers| timers.remove(&self.state));
        let call = self.state.cancel();
        drop(entry);
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
            .field("at", &self.state.key.get().0)
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
            drop(timers.remove(state));
        }
        assert_eq!(timers.len(), 0);
    }
}
