//! What a handle does with time, futures and threads: waits that are futures, calls that repeat, and
//! futures and blocking calls that become a `Deferred`.

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
    /// Returns a future that is ready after `duration`, counted from this call, and never before.
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

    /// Awaits `future` for at most `limit`, counted from this call, and drops it when that has passed.
    ///
    /// A loop that is late first handles what is ready. A [`Deferred`] has a
    /// [`timeout`](Deferred::timeout) of its own.
    ///
    /// # Errors
    ///
    /// An error of kind [`TimedOut`](io::ErrorKind::TimedOut) if the limit has passed and the future was
    /// not ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Reactor;
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let limit = Duration::from_millis(5);
    /// let late = reactor.timeout(limit, pending::<()>());
    /// let late = reactor.block_on(late).unwrap_err();
    /// assert_eq!(late.to_string(), "timed out after 0.005 s");
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

    /// Calls `call` every `interval`, for the first time one interval from now, until the [`Timer`] is
    /// dropped.
    ///
    /// The times are planned from the beginning: what a call takes does not add up. A loop that comes
    /// late makes one call for all the times that have passed, and says how many it has skipped; the
    /// next call comes at the next time that was planned. A panic of `call` ends it. An interval of
    /// `Duration::ZERO` is once a turn.
    ///
    /// [`Timer::detach`] lets it go on for as long as the reactor lives. To end it from within the call,
    /// keep the timer where the call can drop it.
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

    /// Runs a future on the reactor, in this thread, and gives its result as a [`Deferred`].
    ///
    /// It is first polled in the next turn. Cancelling or dropping the `Deferred` drops the future.
    /// [`spawn_local`](Self::spawn_local) starts one that nothing cancels.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails as the future does; with `Abandoned` if that panics, or the reactor is
    /// dropped. The panic unwinds out of the loop.
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

    /// Calls `call`, which may block, in a thread of its own, and gives what it returns.
    ///
    /// Each call starts a thread; for thousands of short ones a pool is better. Cancelling or dropping
    /// the `Deferred` does not end the thread: its result is dropped when it comes.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails if no thread can be started, and if `call` panics, with the panic's message;
    /// with `Abandoned` if the reactor is dropped.
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
    let text = format!("timed out after {} s", limit.as_secs_f64());
    io::Error::new(io::ErrorKind::TimedOut, text)
}
