//! The producing side of a deferred result.

use super::Failed;
use super::state::{Found, OnCancel, State};
use std::fmt;
use std::rc::Rc;

/// The side that gives the result of a [`Deferred`](super::Deferred).
///
/// Dropped without a result, it fails the `Deferred` with [`Failed::Abandoned`], so that nobody
/// waits for ever.
///
/// # Examples
///
/// ```
/// use procession_core::Deferred;
///
/// let (promise, deferred) = Deferred::<_, String>::new();
/// promise.complete(Ok("first"));
/// promise.complete(Ok("second")); // no effect
/// assert_eq!(deferred.try_take(), Some(Ok("first")));
/// ```
#[must_use = "dropping it fails its `Deferred`"]
pub struct Promise<T: 'static, E: 'static> {
    pub(super) state: Rc<State<T, E>>,
}

/// The error of completing a promise that has a result.
#[doc(alias = "AlreadyCalledError")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the promise was completed already")]
#[non_exhaustive]
pub struct AlreadyCompleted;

impl<T: 'static, E: 'static> Promise<T, E> {
    pub(super) fn new(state: Rc<State<T, E>>) -> Self {
        Self { state }
    }

    /// Gives the result.
    ///
    /// A second one has no effect, nor has one after a cancellation: it is dropped without a word.
    /// Callbacks that wait for it are called before this returns, or, inside another callback,
    /// right after that one returns.
    #[doc(alias = "callback")]
    #[doc(alias = "errback")]
    pub fn complete(&self, result: Result<T, E>) {
        self.settle(result.map_err(Failed::Error));
    }

    /// Gives the result as [`complete`](Self::complete) does and says if there was one before.
    ///
    /// # Errors
    ///
    /// [`AlreadyCompleted`] if there was one; after a cancellation there is no error.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_core::Deferred;
    ///
    /// let (promise, deferred) = Deferred::<i32, String>::new();
    /// assert!(promise.try_complete(Ok(1)).is_ok());
    /// assert!(promise.try_complete(Ok(2)).is_err());
    /// assert_eq!(deferred.try_take(), Some(Ok(1)));
    /// ```
    pub fn try_complete(&self, result: Result<T, E>) -> Result<(), AlreadyCompleted> {
        match self.state.settle(result.map_err(Failed::Error)) {
            Found::Waiting | Found::Cancelled => Ok(()),
            Found::Completed => Err(AlreadyCompleted),
        }
    }

    /// Gives what another `Deferred` ended with, as [`complete`](Self::complete) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_core::{Deferred, Failed};
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

    /// Has `call` called once if nobody waits for the result any more.
    ///
    /// That is: the `Deferred`, or the end of the chain that was made of it, was dropped, cancelled
    /// or timed out before there was a result. After that it is called at once. Dropping the
    /// promise or giving a result drops `call`; a second `on_cancel` replaces the first.
    ///
    /// `call` runs before the drop, the cancel or the timeout returns. Inside a callback of any
    /// `Deferred` of the thread it runs late, as every callback does: after that callback has
    /// returned, and after those that were due before. [`is_cancelled`](Self::is_cancelled) is true
    /// at once. Do not leave to `call` what must be over before the callback goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_core::Deferred;
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

    /// Says whether the consumer gave up before there was a result.
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
