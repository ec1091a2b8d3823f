//! What the loop returns for a registration: Python keeps it to change or end the registration.

use std::time::Duration;

use procession::{
    DelayedCall, Interest, Promise, Registration, Remote, SignalWatch, TimerError, Trigger,
};
use pyo3::prelude::*;

use crate::call_python;

/// Turns seconds into a duration. An infinite time becomes the longest one.
pub(crate) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// A pending call. Each method that changes it returns the name of Twisted's error, if any.
#[pyclass(unsendable)]
pub(crate) struct Call(pub(crate) DelayedCall);

#[pymethods]
impl Call {
    fn cancel(&self) -> Option<&'static str> {
        error_name(self.0.try_cancel())
    }

    fn reset(&self, seconds: f64) -> Option<&'static str> {
        error_name(self.0.try_reset(duration(seconds)))
    }

    fn delay(&self, seconds: f64) -> Option<&'static str> {
        error_name(self.0.try_delay(duration(seconds)))
    }

    fn active(&self) -> bool {
        self.0.is_active()
    }
}

fn error_name(result: Result<(), TimerError>) -> Option<&'static str> {
    match result {
        Ok(()) => None,
        Err(TimerError::AlreadyCancelled) => Some("AlreadyCancelled"),
        Err(_) => Some("AlreadyCalled"),
    }
}

/// A watched descriptor, which Python owns.
#[pyclass(unsendable)]
pub(crate) struct Source(pub(crate) Registration);

#[pymethods]
impl Source {
    fn set(&self, reads: bool, writes: bool) -> PyResult<()> {
        Ok(self.0.set_interest(interest(reads, writes))?)
    }

    fn close(&self) {
        // A source that is closed in its own callback leaves the poller after that. Twisted may
        // watch the descriptor again before. An error means that the descriptor is closed.
        self.0.set_interest(Interest::PAUSED).ok();
        self.0.close();
    }
}

pub(crate) fn interest(reads: bool, writes: bool) -> Interest {
    match (reads, writes) {
        (true, true) => Interest::BOTH,
        (true, false) => Interest::READABLE,
        (false, true) => Interest::WRITABLE,
        (false, false) => Interest::PAUSED,
    }
}

/// Wakes the loop from any thread.
#[pyclass(frozen)]
pub(crate) struct Waker(pub(crate) Remote);

#[pymethods]
impl Waker {
    fn wake(&self) {
        self.0.call(|_| ());
    }

    /// Calls `call` in the loop's thread.
    fn call(&self, call: Py<PyAny>) {
        self.0.call(move |_| call_python(&call, |call| call.call0().map(drop)));
    }
}

/// A claimed signal. The claim ends with this value.
#[pyclass(unsendable)]
pub(crate) struct SignalClaim(pub(crate) Option<SignalWatch>);

#[pymethods]
impl SignalClaim {
    fn close(&mut self) {
        self.0.take();
    }
}

/// A trigger of a system event.
#[pyclass(unsendable)]
pub(crate) struct OnEvent(pub(crate) Trigger);

#[pymethods]
impl OnEvent {
    /// Returns false if the trigger has run or was removed.
    fn remove(&self) -> bool {
        self.0.remove()
    }
}

/// A trigger calls `complete` when the loop need not wait for it any longer.
#[pyclass(unsendable)]
pub(crate) struct Finished(pub(crate) Option<Promise<(), &'static str>>);

#[pymethods]
impl Finished {
    fn complete(&mut self) {
        if let Some(promise) = self.0.take() {
            promise.complete(Ok(()));
        }
    }
}
