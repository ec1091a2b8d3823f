//! One result, at most once: a chain of callbacks and a [`Future`].
//!
//! [`Promise`] is the producing side, [`Deferred`] the consuming one, and a private state, of which
//! each holds a reference, sits between them. No event loop, no timer of its own.

mod combinators;
mod failed;
mod future;
mod gather;
mod into_deferred;
mod promise;
mod report;
mod state;
mod timeout;
mod trampoline;

pub use failed::Failed;
pub use gather::{first_of, gather, gather_all};
pub use into_deferred::IntoDeferred;
pub use promise::{AlreadyCompleted, Promise};
pub use report::set_unhandled_error_hook;

use report::report;
use state::{OnCancel, State};
use std::fmt;
use std::rc::Rc;

/// A result that arrives later, or is there already.
///
/// It is consumed in one of four ways: awaited, since it is a [`Future`] of
/// `Result<T, Failed<E>>`; ended with [`done`](Self::done) or [`detach`](Self::detach); continued
/// by a combinator, which gives the `Deferred` of the next link; or asked with
/// [`try_take`](Self::try_take).
///
/// Dropping it before there is a result cancels: the promise learns of it by
/// [`Promise::on_cancel`], through any number of links, and their callbacks are dropped uncalled.
/// Dropping it with an error that nobody took reports that error, once
/// ([`set_unhandled_error_hook`]).
///
/// Somebody has to complete it. What a reactor does (the end of a child, a timer, a helper's output) is
/// done while that reactor is driven: by its `run`, `run_until`, `block_on` or `turn`, on its own thread.
/// Awaited in another executor, tokio's for instance, on a thread whose reactor nobody turns, a
/// `Deferred` waits for ever, and without a word: it knows no loop, and cannot tell one that is slow
/// from one that nobody drives. Await it inside `block_on` or `run_until`, or have the executor turn the
/// reactor, which is a descriptor and a deadline (the example `in_tokio`).
///
/// Callbacks never run inside one another: one that is due while another runs is called right after
/// that one returns. So a chain of any length needs the same stack. A panic in a callback unwinds
/// out of whatever completed the promise, after the callbacks that were due then have been called;
/// the links below see [`Failed::Abandoned`].
///
/// # Examples
///
/// ```
/// use procession_core::{Deferred, Failed};
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
    state: Rc<State<T, E>>,
}

impl<T: 'static, E: fmt::Debug + 'static> Deferred<T, E> {
    /// Makes a promise and the deferred result of it.
    pub fn new() -> (Promise<T, E>, Self) {
        Self::linked(None)
    }

    /// Makes one whose result is there already.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_core::Deferred;
    ///
    /// assert_eq!(Deferred::<_, String>::ready(Ok(1)).try_take(), Some(Ok(1)));
    /// ```
    #[doc(alias = "succeed")]
    pub fn ready(result: Result<T, E>) -> Self {
        let outcome = result.map_err(Failed::Error);
        Self { state: Rc::new(State::settled(outcome, report::<E>)) }
    }

    /// Makes a pair whose cancellation does what `on_cancel` says.
    fn linked(on_cancel: Option<OnCancel>) -> (Promise<T, E>, Self) {
        let state = Rc::new(State::waiting(on_cancel, report::<E>));
        (Promise::new(Rc::clone(&state)), Self { state })
    }
}

impl<T: 'static, E: 'static> Deferred<T, E> {
    /// Ends the chain: `call` gets the result, once.
    ///
    /// It is called at once if the result is there, or, inside another callback, right after that
    /// one returns. From here on nothing cancels the promise.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_core::Deferred;
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

    /// Ends the chain without anybody looking at the result; an error is still reported.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_core::Deferred;
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

    /// Gives the result up: it is [`Failed::Cancelled`] now, and the promise learns of it.
    ///
    /// Without effect if there is a result.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_core::{Deferred, Failed};
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

    /// Takes the result if it is there.
    ///
    /// It can be taken once: after that this gives `None`, and whatever else consumes the
    /// `Deferred` gets [`Failed::Abandoned`].
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_core::Deferred;
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

    /// What cancels this one from further down the chain.
    fn upstream(&self) -> OnCancel {
        let state: Rc<dyn state::Cancel> = Rc::<State<T, E>>::clone(&self.state);
        OnCancel::Upstream(Rc::downgrade(&state))
    }
}

impl<T: 'static, E: 'static> Drop for Deferred<T, E> {
    fn drop(&mut self) {
        if self.state.has_callback() {
            return; // a consuming method ends: the chain goes on without this value
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
