//! What a callback may return.

use super::{Deferred, Promise};
use std::fmt::Debug;

/// A [`Result`], or a [`Deferred`] that is waited for.
///
/// # Examples
///
/// ```
/// use procession::Deferred;
///
/// let (inner, waited) = Deferred::<i32, String>::new();
/// let outer = Deferred::ready(Ok(1)).and_then(move |a| waited.map(move |b| a + b));
/// inner.complete(Ok(2));
/// assert_eq!(outer.try_take(), Some(Ok(3)));
/// ```
pub trait IntoDeferred {
    /// What it gives if it succeeds.
    type Value: 'static;
    /// What it gives if it fails.
    type Error: Debug + 'static;

    /// Gives the result to `promise`, now or when there is one.
    ///
    /// If nobody waits for that promise any more, what gives the result is cancelled.
    fn give_to(self, promise: Promise<Self::Value, Self::Error>);
}

impl<T: 'static, E: Debug + 'static> IntoDeferred for Result<T, E> {
    type Value = T;
    type Error = E;

    fn give_to(self, promise: Promise<T, E>) {
        promise.complete(self);
    }
}

impl<T: 'static, E: Debug + 'static> IntoDeferred for Deferred<T, E> {
    type Value = T;
    type Error = E;

    fn give_to(self, promise: Promise<T, E>) {
        promise.state.set_on_cancel(self.upstream());
        self.done(move |result| promise.settle(result));
    }
}
