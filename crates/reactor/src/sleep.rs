//! A future that is ready at a time, and one that waits for another no longer than that.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use procession_core::WithCell;

use crate::handle::Handle;
use crate::timers::DelayedCall;

/// Ready when its time has passed, counted from its creation; made by [`Handle::sleep`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Sleep {
    state: Rc<State>,
    timer: DelayedCall,
}

#[derive(Default)]
struct State {
    over: Cell<bool>,
    waker: WithCell<Option<Waker>>,
}

impl Handle {
    /// Returns a future that is ready after `duration`, and never before.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use procession_reactor::Reactor;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let handle = reactor.handle();
    /// reactor.block_on(async move { handle.sleep(Duration::from_millis(5)).await });
    /// assert!(reactor.now() >= Duration::from_millis(5));
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "deferLater")]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(|wake| self.call_later(duration, move |_| wake()))
    }

    /// Awaits `future` for at most `limit`, counted from this call, and drops it when that has passed.
    ///
    /// A loop that comes late reads first what is ready. A [`Deferred`](procession_core::Deferred) has a
    /// [`timeout`](procession_core::Deferred::timeout) of its own.
    ///
    /// # Errors
    ///
    /// Of kind [`TimedOut`](io::ErrorKind::TimedOut): the limit has passed, and the future was not ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::pending;
    /// use std::time::Duration;
    /// use procession_reactor::Reactor;
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
}

fn timed_out(limit: Duration) -> io::Error {
    let text = format!("timed out after {} s", limit.as_secs_f64());
    io::Error::new(io::ErrorKind::TimedOut, text)
}

impl Sleep {
    /// Is over when the call that `begin` has the loop make was made.
    fn new(begin: impl FnOnce(Box<dyn FnOnce()>) -> DelayedCall) -> Self {
        let state = Rc::<State>::default();
        let weak = Rc::downgrade(&state);
        let timer = begin(Box::new(move || {
            let Some(state) = weak.upgrade() else { return };
            state.over.set(true);
            let waker = state.waker.take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }));
        Self { state, timer }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.state.over.get() {
            return Poll::Ready(());
        }
        let waker = context.waker().clone(); // foreign code: before the borrow
        let old = self.state.waker.replace(Some(waker));
        drop(old); // and after it
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.timer.cancel();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("over", &self.state.over.get()).finish_non_exhaustive()
    }
}
