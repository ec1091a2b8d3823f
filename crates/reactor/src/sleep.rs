//! A future that is ready at a time.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use procession_core::WithCell;

use crate::handle::Handle;
use crate::timers::DelayedCall;

/// Ready when its time has passed, counted from its creation.
struct Sleep {
    alarm: Rc<Alarm>,
    timer: DelayedCall,
}

#[derive(Default)]
struct Alarm {
    over: Cell<bool>,
    waker: WithCell<Option<Waker>>,
}

impl Handle {
    /// Returns a future that is ready after `duration`, counted from this call, and never before.
    ///
    /// A call that repeats (Twisted's `LoopingCall`) is a task of [`spawn_local`](Self::spawn_local) that
    /// calls and sleeps in a loop.
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
    #[doc(alias = "LoopingCall")]
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Unpin + use<> {
        let alarm = Rc::<Alarm>::default();
        let weak = Rc::downgrade(&alarm);
        let timer = self.call_later(duration, move |_| {
            let Some(alarm) = weak.upgrade() else { return };
            alarm.over.set(true);
            let waker = alarm.waker.take();
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        Sleep { alarm, timer }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.alarm.over.get() {
            return Poll::Ready(());
        }
        let waker = context.waker().clone(); // foreign code: before the borrow
        let old = self.alarm.waker.replace(Some(waker));
        drop(old); // and after it
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.timer.cancel();
    }
}
