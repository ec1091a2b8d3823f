//! The types that a callback may return: a `Result` or a `Deferred`.

use std::fmt::Debug;

use super::{Deferred, Promise};

/// A [`Result`], or a [`Deferred`] whose result the chain waits for.
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
    /// The type of a success.
    type Value: 'static;
    /// The type of an error.
    type Error: Debug + 'static;

    /// Completes `promise` with the result, now or when it arrives.
    ///
    /// If the result of `promise` is cancelled, this `Deferred` is cancelled too.
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
