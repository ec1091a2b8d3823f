//! Time as a parameter: what a timeout needs of whoever keeps the time.
//!
//! The reactor's handle is a [`Clock`] and makes itself the current one of its thread; tests take a
//! [`FakeClock`](crate::FakeClock). No clock of the system is read here.

use crate::WithCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// A monotonic time and calls that become due.
pub trait Clock {
    /// Returns the time since a start that is arbitrary and fixed.
    fn elapsed(&self) -> Duration;

    /// Has `call` called once, `delay` from now, unless the [`Timer`] is dropped before.
    ///
    /// The call comes from the clock's owner (a loop's turn, [`FakeClock::advance`]), never from
    /// within `schedule`, also if `delay` is zero.
    ///
    /// [`FakeClock::advance`]: crate::FakeClock::advance
    fn schedule(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Timer;

    /// Does the same for a call that judges that something has not come in time: an owner that has come
    /// late deals with what is ready first. Without owners that wait for something it is
    /// [`schedule`](Self::schedule).
    fn schedule_deadline(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Timer {
        self.schedule(delay, call)
    }
}

/// A call that is scheduled; dropping it cancels the call.
///
/// # Examples
///
/// ```
/// use procession_core::{Clock, FakeClock};
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
    /// Makes one that calls `cancel` when it is dropped, whether or not the call was made by then.
    pub fn new(cancel: impl FnOnce() + 'static) -> Self {
        Self(Some(Box::new(cancel)))
    }

    /// Has the call made all the same: nothing cancels it any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_core::{Clock, FakeClock};
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

/// Returns the clock of this thread, if it has one.
///
/// A reactor is its thread's clock from its creation to its drop.
pub fn current_clock() -> Option<Rc<dyn Clock>> {
    CURRENT.try_with(|current| current.with(|clock| clock.clone())).ok().flatten()
}

/// Makes `clock` the clock of this thread and returns the one before.
///
/// For event loops, and for tests of code that calls [`Deferred::timeout`](crate::Deferred::timeout).
///
/// # Examples
///
/// ```
/// use procession_core::{Deferred, Failed, FakeClock, set_current_clock};
/// use std::{rc::Rc, time::Duration};
///
/// let clock = FakeClock::new();
/// set_current_clock(Some(Rc::new(clock.clone())));
/// let (_promise, never) = Deferred::<(), String>::new();
/// let never = never.timeout(Duration::from_secs(1));
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(never.try_take(), Some(Err(Failed::TimedOut)));
/// # set_current_clock(None);
/// ```
pub fn set_current_clock(clock: Option<Rc<dyn Clock>>) -> Option<Rc<dyn Clock>> {
    // While the thread's locals are being destroyed there is no clock, and none can be set.
    CURRENT.try_with(|current| current.replace(clock)).ok().flatten()
}
