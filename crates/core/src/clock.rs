//! Time as a parameter: the interface of a clock that timeouts need.
//!
//! The reactor's handle is a [`Clock`] and makes itself the current clock of its thread; tests use a
//! [`FakeClock`](crate::FakeClock). This module reads no clock of the system.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::cell::WithCell;

/// A monotonic clock that makes scheduled calls.
pub trait Clock {
    /// Returns the time since a fixed, arbitrary start.
    fn elapsed(&self) -> Duration;

    /// Schedules `call` to be called once, `delay` from now, unless the [`Timer`] is dropped before.
    ///
    /// The clock's owner makes the call (a loop's turn, [`FakeClock::advance`]). `schedule` itself never
    /// does, not even if `delay` is zero.
    ///
    /// [`FakeClock::advance`]: crate::FakeClock::advance
    fn schedule(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Timer;

    /// Schedules a call that ends a wait because something has not come in time.
    ///
    /// If the clock's owner is late, it first handles the events that are ready, and only then makes
    /// the call. A clock whose owner waits for no events treats it like [`schedule`](Self::schedule).
    fn schedule_deadline(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Timer {
        self.schedule(delay, call)
    }
}

/// A scheduled call; dropping the timer cancels it.
///
/// # Examples
///
/// ```
/// use procession::{Clock, FakeClock};
/// use std::time::Duration;
///
/// let clock = FakeClock::new();
/// let timer = clock.schedule(Duration::from_secs(1), Box::new(|| unreachable!("cancelled")));
/// drop(timer);
/// clock.advance(Duration::from_secs(2));
/// ```
#[must_use = "dropping a timer cancels its call"]
pub struct Timer(Option<Box<dyn FnOnce()>>);

impl Timer {
    /// Creates a timer that calls `cancel` when it is dropped, even if the scheduled call was made.
    pub fn new(cancel: impl FnOnce() + 'static) -> Self {
        Self(Some(Box::new(cancel)))
    }

    /// Drops the timer without cancelling its call: nothing cancels the call any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Clock, FakeClock};
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    ///
    /// let clock = FakeClock::new();
    /// let called = Rc::new(Cell::new(false));
    /// let call = Rc::clone(&called);
    /// clock.schedule(Duration::from_secs(1), Box::new(move || call.set(true))).detach();
    /// clock.advance(Duration::from_secs(1));
    /// assert!(called.get());
    /// ```
    pub fn detach(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(cancel) = self.0.take() {
            cancel();
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}

thread_local! {
    static CURRENT: WithCell<Option<Rc<dyn Clock>>> = const { WithCell::new(None) };
}

/// The current clock of a thread. A reactor is the clock of its thread from its creation to its drop.
impl dyn Clock {
    /// Returns the clock of this thread, if it has one.
    pub fn current() -> Option<Rc<Self>> {
        CURRENT.try_with(|current| current.with(|clock| clock.clone())).ok().flatten()
    }

    /// Sets the current clock of this thread and returns the previous one.
    ///
    /// Event loops use this, and tests of code that calls
    /// [`Deferred::timeout`](crate::Deferred::timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Clock, Deferred, Failed, FakeClock};
    /// use std::{rc::Rc, time::Duration};
    ///
    /// let clock = FakeClock::new();
    /// <dyn Clock>::set_current(Some(Rc::new(clock.clone())));
    /// let (_promise, never) = Deferred::<(), String>::new();
    /// let never = never.timeout(Duration::from_secs(1));
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(never.try_take(), Some(Err(Failed::TimedOut)));
    /// # <dyn Clock>::set_current(None);
    /// ```
    pub fn set_current(clock: Option<Rc<Self>>) -> Option<Rc<Self>> {
        // While the thread's locals are being destroyed, there is no clock, and nothing can set one.
        CURRENT.try_with(|current| current.replace(clock)).ok().flatten()
    }
}
