//! The combinators that form a chain. Each consumes a `Deferred` and returns the next one. Also the types
//! that their callbacks may return: a `Result` or a `Deferred`.

use std::fmt::Debug;

use super::{Deferred, Failed, Promise};

impl<T: 'static, E: 'static> Deferred<T, E> {
    /// Converts the value; failures pass through.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Deferred;
    ///
    /// let text = Deferred::<_, String>::ready(Ok(7)).map(|n| n.to_string());
    /// assert_eq!(text.try_take(), Some(Ok("7".to_owned())));
    /// ```
    #[doc(alias = "addCallback")]
    #[must_use = "dropping the end of a chain cancels it: `done` or `detach` ends one"]
    pub fn map<U: 'static>(self, call: impl FnOnce(T) -> U + 'static) -> Deferred<U, E>
    where
        E: Debug,
    {
        self.link(|result, promise| promise.settle(result.map(call)))
    }

    /// Converts the error; values and other failures pass through.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Deferred, Failed};
    ///
    /// let length = Deferred::<(), _>::ready(Err("bad")).map_err(str::len);
    /// assert_eq!(length.try_take(), Some(Err(Failed::Error(3))));
    /// ```
    #[doc(alias = "addErrback")]
    #[must_use = "dropping the end of a chain cancels it: `done` or `detach` ends one"]
    pub fn map_err<F: Debug + 'static>(
        self,
        call: impl FnOnce(E) -> F + 'static,
    ) -> Deferred<T, F> {
        self.link(|result, promise| promise.settle(result.map_err(|failed| failed.map(call))))
    }

    /// Calls `call` with the value and continues with the `Result` or `Deferred` that it returns;
    /// failures pass through.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Deferred, Failed};
    ///
    /// let number = Deferred::ready(Ok("x")).and_then(|text| text.parse::<i32>());
    /// assert!(matches!(number.try_take(), Some(Err(Failed::Error(_)))));
    /// ```
    #[doc(alias = "addCallback")]
    #[must_use = "dropping the end of a chain cancels it: `done` or `detach` ends one"]
    pub fn and_then<R>(self, call: impl FnOnce(T) -> R + 'static) -> Deferred<R::Value, E>
    where
        R: IntoDeferred<Error = E>,
        E: Debug,
    {
        self.link(|result, promise| match result {
            Ok(value) => call(value).give_to(promise),
            Err(failed) => promise.settle(Err(failed)),
        })
    }

    /// Calls `call` with the error and continues with the `Result` or `Deferred` that it returns.
    ///
    /// Values pass through, and so do [`Failed::Cancelled`], [`Failed::TimedOut`] and
    /// [`Failed::Abandoned`]. To handle those, use [`then`](Self::then).
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Deferred;
    ///
    /// let mended = Deferred::ready(Err("bad")).or_else(|_| Ok::<_, String>(0));
    /// assert_eq!(mended.try_take(), Some(Ok(0)));
    /// ```
    #[doc(alias = "addErrback")]
    #[must_use = "dropping the end of a chain cancels it: `done` or `detach` ends one"]
    pub fn or_else<R>(self, call: impl FnOnce(E) -> R + 'static) -> Deferred<T, R::Error>
    where
        R: IntoDeferred<Value = T>,
    {
        self.link(|result, promise| match result {
            Ok(value) => promise.settle(Ok(value)),
            Err(Failed::Error(error)) => call(error).give_to(promise),
            Err(Failed::Cancelled) => promise.settle(Err(Failed::Cancelled)),
            Err(Failed::TimedOut) => promise.settle(Err(Failed::TimedOut)),
            Err(Failed::Abandoned) => promise.settle(Err(Failed::Abandoned)),
        })
    }

    /// Calls `call` with the result, whatever it is, and continues with the `Result` or `Deferred` that
    /// it returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Deferred, Failed};
    ///
    /// let (promise, deferred) = Deferred::<i32, String>::new();
    /// let deferred = deferred.then(|result| match result {
    ///     Err(Failed::Abandoned) => Ok(0),
    ///     Err(failed) => Err(failed.to_string()),
    ///     Ok(n) => Ok(n),
    /// });
    /// drop(promise);
    /// assert_eq!(deferred.try_take(), Some(Ok(0)));
    /// ```
    #[doc(alias = "addBoth")]
    #[doc(alias = "addCallbacks")]
    #[must_use = "dropping the end of a chain cancels it: `done` or `detach` ends one"]
    pub fn then<R>(
        self,
        call: impl FnOnce(Result<T, Failed<E>>) -> R + 'static,
    ) -> Deferred<R::Value, R::Error>
    where
        R: IntoDeferred,
    {
        self.link(|result, promise| call(result).give_to(promise))
    }

    fn link<U: 'static, F: Debug + 'static>(
        self,
        call: impl FnOnce(Result<T, Failed<E>>, Promise<U, F>) + 'static,
    ) -> Deferred<U, F> {
        let (promise, next) = Deferred::linked(Some(self.upstream()));
        self.done(move |result| call(result, promise));
        next
    }
}

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
