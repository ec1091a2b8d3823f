//! The handle's methods for time, futures and threads: waits as futures, repeated calls, and
//! futures and blocking calls as a `Deferred`.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use procession_core::{Deferred, Timer};

use super::sleep::Sleep;
use super::{Handle, deferring, every};

impl Handle {
    /// Returns a future that is ready `duration` after this call, never earlier.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Reactor;
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let handle = reactor.handle();
    /// reactor.block_on(async move { handle.sleep(Duration::from_millis(5)).await });
    /// assert!(reactor.now() >= Duration::from_millis(5));
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "deferLater")]
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Unpin + use<> {
        Sleep::new(|wake| self.call_later(duration, move |_| wake()))
    }

    /// Awaits `future` for at most `limit`, counted from this call. Drops the future when the limit
    /// has passed.
    ///
    /// A loop that is late first handles the sources that are ready. A [`Deferred`] has its own
    /// [`timeout`](Deferred::timeout).
    ///
    /// # Errors
    ///
    /// An error of kind [`TimedOut`](io::ErrorKind::TimedOut) if the limit has passed and the
    /// future is not ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Reactor;
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let limit = Duration::from_millis(20);
    /// let late = reactor.timeout(limit, pending::<()>());
    /// let late = reactor.block_on(late).unwrap_err();
    /// assert_eq!(late.to_string(), "timed out after 0.02 s");
    /// let early = reactor.timeout(limit, async { 7 });
    /// assert_eq!(reactor.block_on(early)?, 7);
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "addTimeout")]
    #[doc(alias = "with_timeout")]
    pub fn timeout<F: Future>(
        &self,
        limit: Duration,
        future: F,
    ) -> impl Future<Output = io::Result<F::Output>> + use<F> {
        let over = Sleep::new(|wake| self.call_at_deadline(limit, move |_| wake()));
        async move {
            let (mut future, mut over) = (pin!(future), over);
            poll_fn(|context| match future.as_mut().poll(context) {
                Poll::Ready(value) => Poll::Ready(Ok(value)),
                Poll::Pending => Pin::new(&mut over).poll(context).map(|()| Err(timed_out(limit))),
            })
            .await
        }
    }

    /// Calls `call` every `interval` until the [`Timer`] is dropped. The first call is one interval
    /// from now.
    ///
    /// The times are planned from the start, so the duration of the calls does not add up. A loop
    /// that is late makes one call for all the times that have passed, and passes the number of
    /// times that it skipped. The next call comes at the next planned time. A panic of `call` ends
    /// the calls. With an interval of `Duration::ZERO`, `call` runs once a turn.
    ///
    /// [`Timer::detach`] lets the calls continue as long as the reactor exists. To end them from
    /// within the call, keep the timer where the call can drop it.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Reactor;
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let mut ticks = 0;
    /// let ticking = reactor.call_every(Duration::from_millis(5), move |reactor, skipped| {
    ///     ticks += 1 + skipped;
    ///     if ticks >= 3 {
    ///         reactor.stop();
    ///     }
    /// });
    /// reactor.run()?;
    /// drop(ticking);
    /// assert!(reactor.now() >= Duration::from_millis(15));
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "LoopingCall")]
    #[doc(alias = "withCount")]
    #[doc(alias = "interval")]
    #[doc(alias = "set_interval")]
    pub fn call_every<R>(
        &self,
        interval: Duration,
        call: impl FnMut(&Self, u64) -> R + 'static,
    ) -> Timer {
        every::start(self, interval, call)
    }

    /// Runs a future on the reactor, in this thread, and returns its result as a [`Deferred`].
    ///
    /// Its first poll is in the next turn. Cancelling or dropping the `Deferred` drops the future.
    /// [`spawn_local`](Self::spawn_local) starts a future that continues when its handle is
    /// dropped.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails as the future does. It fails with `Abandoned` if the future panics or
    /// the reactor is dropped. The panic unwinds out of the loop.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Handle, Reactor, gather};
    /// use std::time::Duration;
    ///
    /// async fn slow(number: u32) -> Result<u32, String> {
    ///     Handle::current().sleep(Duration::from_millis(1)).await;
    ///     Ok(number)
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// let all = gather([1, 2].map(|number| reactor.defer(slow(number))));
    /// assert_eq!(reactor.block_on(all), Ok(vec![1, 2]));
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "from_future")]
    #[doc(alias = "fromCoroutine")]
    #[doc(alias = "fromFuture")]
    #[doc(alias = "ensureDeferred")]
    #[must_use = "dropping it cancels the future: `done` or `detach` lets that go on"]
    pub fn defer<T: 'static, E: Debug + 'static>(
        &self,
        future: impl Future<Output = Result<T, E>> + 'static,
    ) -> Deferred<T, E> {
        let (promise, deferred) = Deferred::new();
        let promise = Rc::new(promise);
        let given = Rc::clone(&promise);
        let task = self.spawn_local(async move { given.complete(future.await) });
        promise.on_cancel(|| task.cancel());
        deferred
    }

    /// Calls `call`, which may block, in its own thread, and returns its result as a [`Deferred`].
    ///
    /// Each call starts a thread. For thousands of short calls a pool is better. Cancelling or
    /// dropping the `Deferred` does not end the thread. Its result is then dropped when it arrives.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails if no thread can be started, or if `call` panics, with the panic's
    /// message. It fails with `Abandoned` if the reactor is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Reactor;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let text = reactor.defer_to_thread(|| std::fs::read_to_string("/proc/self/comm"));
    /// println!("{:?}", reactor.block_on(text)?);
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "deferToThread")]
    #[doc(alias = "spawn_blocking")]
    #[doc(alias = "callInThread")]
    pub fn defer_to_thread<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Deferred<T, io::Error> {
        let called = match deferring::in_thread(call) {
            Ok(called) => called,
            Err(reason) => return Deferred::ready(Err(reason)),
        };
        self.defer(called)
    }
}

fn timed_out(limit: Duration) -> io::Error {
    let text = format!("timed out after {:.2} s", limit.as_secs_f64());
    io::Error::new(io::ErrorKind::TimedOut, text)
}
