//! A time limit for a result.

use std::fmt::Debug;
use std::rc::Rc;
use std::time::Duration;

use super::{Deferred, Failed};
use crate::Clock;

/// The panic of [`Deferred::timeout`] in a thread without a clock.
const NO_CLOCK: &str = "this thread has no reactor: make one with `Reactor::new` first, or give the \
                        timeout a clock with `timeout_on`";

impl<T: 'static, E: Debug + 'static> Deferred<T, E> {
    /// Limits the wait to `after`, by this thread's clock.
    ///
    /// When the time has passed, the chain before this is cancelled, and the result is
    /// [`Failed::TimedOut`]. A loop that is late first reads everything that is ready.
    /// `Duration::ZERO` ends the wait as soon as the clock makes calls.
    ///
    /// # Panics
    ///
    /// Panics if the thread has no clock ([`<dyn Clock>::current`](Clock)): that is, if it has no reactor.
    ///
    /// # Examples
    ///
    /// See [`<dyn Clock>::set_current`](Clock).
    #[doc(alias = "addTimeout")]
    #[must_use = "dropping the end of a chain cancels it: `done` or `detach` ends one"]
    #[track_caller]
    pub fn timeout(self, after: Duration) -> Self {
        let clock = <dyn Clock>::current().expect(NO_CLOCK);
        self.timeout_on(after, &*clock)
    }

    /// Limits the wait to `after`, by `clock`; see [`timeout`](Self::timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Deferred, Failed, FakeClock};
    /// use std::time::Duration;
    ///
    /// let clock = FakeClock::new();
    /// let (promise, deferred) = Deferred::<i32, String>::new();
    /// let deferred = deferred.timeout_on(Duration::from_secs(1), &clock);
    /// clock.advance(Duration::from_secs(1));
    /// assert!(promise.is_cancelled());
    /// assert_eq!(deferred.try_take(), Some(Err(Failed::TimedOut)));
    /// ```
    #[must_use = "dropping the end of a chain cancels it: `done` or `detach` ends one"]
    pub fn timeout_on(self, after: Duration, clock: &dyn Clock) -> Self {
        let (promise, bounded) = Self::linked(Some(self.upstream()));
        let promise = Rc::new(promise);
        let late = Rc::clone(&promise);
        let upstream = self.upstream();
        let timer = clock.schedule_deadline(
            after,
            Box::new(move || {
                upstream.run();
                late.settle(Err(Failed::TimedOut));
            }),
        );
        self.done(move |result| {
            drop(timer);
            promise.settle(result);
        });
        bounded
    }
}
