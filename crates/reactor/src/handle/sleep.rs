//! A future that is ready at a time.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use procession_core::driver::WithCell;

use crate::handle::timers::DelayedCall;

/// Ready when its time has passed, counted from its creation.
pub(super) struct Sleep {
    alarm: Rc<Alarm>,
    timer: DelayedCall,
}

#[derive(Default)]
struct Alarm {
    over: Cell<bool>,
    waker: WithCell<Option<Waker>>,
}

impl Sleep {
    /// Creates a future that is ready once the loop has made the call that `begin` requests.
    pub(super) fn new(begin: impl FnOnce(Box<dyn FnOnce()>) -> DelayedCall) -> Self {
        let alarm = Rc::<Alarm>::default();
        let weak = Rc::downgrade(&alarm);
        let timer = begin(Box::new(move || {
            let Some(alarm) = weak.upgrade() else { return };
            alarm.over.set(true);
            let waker = alarm.waker.take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }));
        Self { alarm, timer }
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
