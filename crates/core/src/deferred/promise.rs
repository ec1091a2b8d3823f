//! The producing side of a deferred result.

use std::fmt;
use std::io;
use std::rc::Rc;

use super::Failed;
use super::state::{OnCancel, Progress, SharedState};

/// The side that produces the result of a [`Deferred`](super::Deferred).
///
/// If it is dropped without a result, the `Deferred` fails with [`Failed::Abandoned`], so nobody waits
/// for ever.
///
/// # Examples
///
/// ```
/// use procession::Deferred;
///
/// let (promise, deferred) = Deferred::<_, String>::new();
/// promise.complete(Ok("first"));
/// promise.complete(Ok("second")); // no effect
/// assert_eq!(deferred.try_take(), Some(Ok("first")));
/// ```
#[must_use = "dropping it fails its `Deferred`"]
pub struct Promise<T: 'static, E: 'static> {
    pub(super) state: Rc<SharedState<T, E>>,
}

/// The error of completing a promise that has a result.
#[doc(alias = "AlreadyCalledError")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the promise was completed already")]
#[non_exhaustive]
pub struct AlreadyCompleted;

/// Has the kind `AlreadyExists`, and keeps the error.
impl From<AlreadyCompleted> for io::Error {
    fn from(error: AlreadyCompleted) -> Self {
        Self::new(io::ErrorKind::AlreadyExists, error)
    }
}

impl<T: 'static, E: 'static> Promise<T, E> {
    pub(super) fn new(state: Rc<SharedState<T, E>>) -> Self {
        Self { state }
    }

    /// Completes the `Deferred` with this result.
    ///
    /// A second result, or a result after a cancellation, has no effect: it is dropped without an
    /// error. Callbacks that wait for the result are called before this returns, or, inside another
    /// callback, right after that one returns.
    #[doc(alias = "callback")]
    #[doc(alias = "errback")]
    pub fn complete(&self, result: Result<T, E>) {
        self.settle(result.map_err(Failed::Error));
    }

    /// Does the same as [`complete`](Self::complete), and fails if there was a result before.
    ///
    /// # Errors
    ///
    /// [`AlreadyCompleted`] if there was a result. A cancellation before is not an error.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Deferred;
    ///
    /// let (promise, deferred) = Deferred::<i32, String>::new();
    /// assert!(promise.try_complete(Ok(1)).is_ok());
    /// assert!(promise.try_complete(Ok(2)).is_err());
    /// assert_eq!(deferred.try_take(), Some(Ok(1)));
    /// ```
    pub fn try_complete(&self, result: Result<T, E>) -> Result<(), AlreadyCompleted> {
        match self.state.settle(result.map_err(Failed::Error)) {
            Progress::Waiting | Progress::Cancelled => Ok(()),
            Progress::Completed => Err(AlreadyCompleted),
        }
    }

    /// Does the same as [`complete`](Self::complete) with the result of another `Deferred`.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Deferred, Failed};
    ///
    /// let (promise, relayed) = Deferred::<i32, String>::new();
    /// let (first, other) = Deferred::<i32, String>::new();
    /// other.done(move |result| promise.settle(result));
    /// drop(first);
    /// assert_eq!(relayed.try_take(), Some(Err(Failed::Abandoned)));
    /// ```
    pub fn settle(&self, result: Result<T, Failed<E>>) {
        self.state.settle(result);
    }

    /// Sets a closure that is called, once, when nobody waits for the result any more.
    ///
    /// This is the case if the `Deferred`, or the end of its chain, is dropped, cancelled or timed out
    /// before there is a result. If it is already the case, `call` is called at once. Dropping the
    /// promise or completing it drops `call`; a second `on_cancel` replaces the first.
    ///
    /// `call` runs before the drop, the cancel or the timeout returns. Inside a callback of any
    /// `Deferred` of the thread it runs late, like every callback: after that callback has returned,
    /// and after the callbacks that were due before. [`is_cancelled`](Self::is_cancelled) is true at
    /// once. So do not use `call` for work that must be over before the callback goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Deferred;
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// let (promise, deferred) = Deferred::<i32, String>::new();
    /// let stopped = Rc::new(Cell::new(false));
    /// let stop = Rc::clone(&stopped);
    /// promise.on_cancel(move || stop.set(true));
    /// drop(deferred.map(|n| n + 1).map_err(|error| error.len()));
    /// assert!(stopped.get());
    /// ```
    pub fn on_cancel(&self, call: impl FnOnce() + 'static) {
        self.state.set_on_cancel(OnCancel::Call(Box::new(call)));
    }

    /// Returns whether the `Deferred` was cancelled before there was a result.
    pub fn is_cancelled(&self) -> bool {
        self.state.is_cancelled()
    }
}

impl<T: 'static, E: 'static> Drop for Promise<T, E> {
    fn drop(&mut self) {
        self.state.settle(Err(Failed::Abandoned));
    }
}

impl<T: 'static, E: 'static> fmt::Debug for Promise<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Promise");
        out.field("is_pending", &self.state.is_waiting());
        out.field("is_cancelled", &self.is_cancelled()).finish()
    }
}
