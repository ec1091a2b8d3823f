//! A future that is ready at a time.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use procession_core::driver::WithCell;

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
    /// A call that repeats (Twisted's `LoopingCall`) is a task of [`spawn_local`](Self::spawn_local) that
    /// calls and sleeps in a loop.
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
    #[doc(alias = "LoopingCall")]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let state = Rc::<State>::default();
        let weak = Rc::downgrade(&state);
        let timer = self.call_later(duration, move |_| {
            let Some(state) = weak.upgrade() else { return };
            state.over.set(true);
            let waker = state.waker.take();
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        Sleep { state, timer }
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
