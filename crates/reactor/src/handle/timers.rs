//! The guard of a delayed call.

use std::fmt;
use std::time::Duration;

use procession_core::driver::Patience;

use crate::handle::{Call, Handle};
use crate::store::timers::{TimerError, TimerId, Timers};

/// A call that [`Handle::call_later`](crate::Handle::call_later) will make.
///
/// Dropping it does nothing. The call is still made.
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
    #[inline]
    pub(crate) fn new(handle: Handle, at: Duration, call: Call, patience: Patience) -> Self {
        let timer = handle.core.calls.timers.with(|timers| timers.add_patient(at, call, patience));
        Self { handle, timer }
    }

    /// Cancels the call. Does nothing if the call was already made or cancelled.
    pub fn cancel(&self) {
        // A call that is over needs no error here. `try_cancel` reports it.
        self.try_cancel().ok();
    }

    /// Cancels the call.
    ///
    /// # Errors
    ///
    /// [`AlreadyCalled`](TimerError::AlreadyCalled), also from within the call itself, or
    /// [`AlreadyCancelled`](TimerError::AlreadyCancelled).
    pub fn try_cancel(&self) -> Result<(), TimerError> {
        let call = self.with(|timers, timer| timers.cancel(timer))?;
        drop(call);
        Ok(())
    }

    /// Has the call made `after` from now. Does nothing if it was already made or cancelled.
    pub fn reset(&self, after: Duration) {
        // As in `cancel`.
        self.try_reset(after).ok();
    }

    /// Has the call made `after` from now, whether that is earlier or later than before.
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

    /// Has the call made `by` later than planned. Does nothing if it was already made or cancelled.
    pub fn delay(&self, by: Duration) {
        // As in `cancel`.
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

    /// Returns whether the call is still to be made.
    #[doc(alias = "active")]
    pub fn is_active(&self) -> bool {
        self.with(|timers, timer| timers.check(timer).is_ok())
    }

    fn with<R>(&self, change: impl FnOnce(&mut Timers<Call>, TimerId) -> R) -> R {
        self.handle.core.calls.timers.with(|timers| change(timers, self.timer))
    }
}

impl Clone for DelayedCall {
    fn clone(&self) -> Self {
        self.with(|timers, timer| timers.retain(timer));
        Self { handle: self.handle.clone(), timer: self.timer }
    }
}

/// The call is still made. Without its guards, the timer's slot is reused once the call is over.
impl Drop for DelayedCall {
    fn drop(&mut self) {
        self.with(|timers, timer| timers.release(timer));
    }
}

impl fmt::Debug for DelayedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, status) = self.with(|timers, timer| timers.time_and_status(timer));
        f.debug_struct("DelayedCall")
            .field("at", &at)
            .field("status", &status)
            .finish_non_exhaustive()
    }
}
