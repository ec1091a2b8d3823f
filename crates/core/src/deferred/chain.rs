//! [`Deferred`]: one link of a chain, with the result that it has or will have; also as a future, for any
//! executor.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::failed::Failed;
use super::promise::Promise;
use super::report::report;
use super::state::{self, OnCancel, SharedState};

/// A result that arrives later, or is already there.
///
/// There are four ways to use it:
///
/// - await it: it is a [`Future`] of `Result<T, Failed<E>>`;
/// - end the chain with [`done`](Self::done) or [`detach`](Self::detach);
/// - continue the chain with a combinator, which returns the `Deferred` of the next link;
/// - take the result with [`try_take`](Self::try_take).
///
/// Dropping it before there is a result cancels the chain: [`Promise::on_cancel`] tells the promise,
/// through any number of links, and their callbacks are dropped uncalled. Dropping it with an error
/// that nobody took reports that error, once
/// ([`set_unhandled_error_hook`](crate::set_unhandled_error_hook)).
///
/// Somebody must complete the promise. A reactor completes its results (the end of a child, a timer, a
/// helper's output) only while it runs, in `run`, `run_until`, `block_on` or `turn`, on its own thread.
/// If you await such a `Deferred` in another executor, such as tokio's, and nobody turns the reactor of
/// that thread, it waits for ever, without an error: a `Deferred` knows no loop, so it cannot tell a
/// slow loop from one that nobody runs. Await it inside `block_on` or `run_until`, or let the executor
/// turn the reactor (see the example `hosted`).
///
/// Callbacks never run inside one another: a callback that becomes due while another one runs is called
/// right after that one returns. So the stack does not grow with the length of a chain. A panic in a
/// callback unwinds out of the call that completed the promise, after all other due callbacks have been
/// called; the links below see [`Failed::Abandoned`].
///
/// # Examples
///
/// ```
/// use procession::{Deferred, Failed};
///
/// let (promise, deferred) = Deferred::<u32, String>::new();
/// let deferred = deferred
///     .and_then(|n| if n == 0 { Err("zero".to_owned()) } else { Ok(100 / n) })
///     .or_else(|error| if error == "zero" { Ok(0) } else { Err(error) });
/// promise.complete(Ok(0));
/// assert_eq!(deferred.try_take(), Some(Ok(0)));
///
/// let (promise, deferred) = Deferred::<u32, String>::new();
/// drop(promise);
/// deferred.done(|result| assert_eq!(result, Err(Failed::Abandoned)));
/// ```
pub struct Deferred<T: 'static, E: 'static> {
    pub(super) state: Rc<SharedState<T, E>>,
}

impl<T: 'static, E: fmt::Debug + 'static> Deferred<T, E> {
    /// Creates a promise and its deferred result.
    pub fn new() -> (Promise<T, E>, Self) {
        Self::linked(None)
    }

    /// Creates a `Deferred` that already has its result.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Deferred;
    ///
    /// assert_eq!(Deferred::<_, String>::ready(Ok(1)).try_take(), Some(Ok(1)));
    /// ```
    #[doc(alias = "succeed")]
    pub fn ready(result: Result<T, E>) -> Self {
        let outcome = result.map_err(Failed::Error);
        Self { state: Rc::new(SharedState::settled(outcome, report::<E>)) }
    }

    /// Creates a promise and its deferred result; cancelling the result runs `on_cancel`.
    pub(super) fn linked(on_cancel: Option<OnCancel>) -> (Promise<T, E>, Self) {
        let state = Rc::new(SharedState::waiting(on_cancel, report::<E>));
        (Promise::new(Rc::clone(&state)), Self { state })
    }
}

impl<T: 'static, E: 'static> Deferred<T, E> {
    /// Ends the chain: calls `call` with the result, once.
    ///
    /// If the result is already there, it calls `call` at once, or, inside another callback, right
    /// after that one returns. After this, nothing cancels the promise.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Deferred;
    ///
    /// let (promise, deferred) = Deferred::<i32, String>::new();
    /// deferred.done(|result| assert_eq!(result, Ok(3)));
    /// promise.complete(Ok(3));
    /// ```
    #[doc(alias = "addCallbacks")]
    #[doc(alias = "addBoth")]
    pub fn done(self, call: impl FnOnce(Result<T, Failed<E>>) + 'static) {
        self.state.attach(call);
    }

    /// Ends the chain and ignores the result; an error is still reported.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Deferred;
    ///
    /// let (promise, deferred) = Deferred::<i32, String>::new();
    /// deferred.map(|n| println!("it was {n}")).detach();
    /// promise.complete(Ok(3));
    /// ```
    pub fn detach(self) {
        let report = self.state.report;
        self.done(move |result| {
            if let Err(Failed::Error(error)) = result {
                report(&error);
            }
        });
    }

    /// Cancels the wait: the result is [`Failed::Cancelled`], and [`Promise::on_cancel`] tells the
    /// promise.
    ///
    /// Has no effect if there is a result.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Deferred, Failed};
    ///
    /// let (promise, deferred) = Deferred::<i32, String>::new();
    /// let deferred = deferred.map(|n| n + 1);
    /// deferred.cancel();
    /// assert!(promise.is_cancelled());
    /// assert_eq!(deferred.try_take(), Some(Err(Failed::Cancelled)));
    /// ```
    pub fn cancel(&self) {
        state::cancel(&*self.state);
    }

    /// Takes the result, if it is there.
    ///
    /// The result can be taken once. After that this returns `None`, and the other ways to use the
    /// `Deferred` give [`Failed::Abandoned`].
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Deferred;
    ///
    /// let (promise, deferred) = Deferred::<i32, String>::new();
    /// assert_eq!(deferred.try_take(), None);
    /// promise.complete(Ok(1));
    /// assert_eq!(deferred.try_take(), Some(Ok(1)));
    /// assert_eq!(deferred.try_take(), None);
    /// ```
    pub fn try_take(&self) -> Option<Result<T, Failed<E>>> {
        self.state.take()
    }

    /// Returns the action by which a link further down the chain cancels this one.
    pub(super) fn upstream(&self) -> OnCancel {
        let state: Rc<dyn state::Cancel> = Rc::<SharedState<T, E>>::clone(&self.state);
        OnCancel::Upstream(Rc::downgrade(&state))
    }
}

impl<T: 'static, E: 'static> Drop for Deferred<T, E> {
    fn drop(&mut self) {
        if self.state.has_callback() {
            return; // a consuming method is returning: the chain goes on without this value
        }
        match self.state.take() {
            Some(Err(Failed::Error(error))) => (self.state.report)(&error),
            Some(_) => {}
            None => state::cancel(&*self.state),
        }
    }
}

impl<T: 'static, E: 'static> fmt::Debug for Deferred<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").field("is_pending", &self.state.is_waiting()).finish()
    }
}

/// Resolves to the result once; if it is polled after that, it gives [`Failed::Abandoned`].
///
/// Any executor can poll it. But a result of a reactor comes only while that reactor runs: see
/// [`Deferred`].
impl<T: 'static, E: 'static> Future for Deferred<T, E> {
    type Output = Result<T, Failed<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.state.poll(context.waker()).map_or(Poll::Pending, Poll::Ready)
    }
}
