//! A future that is ready at a given time.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use procession_core::driver::WithCell;

use crate::handle::timers::DelayedCall;

/// A future that is ready when its time, counted from its creation, has passed.
pub(super) struct Sleep {
    state: Rc<SleepState>,
    timer: DelayedCall,
}

#[derive(Default)]
struct SleepState {
    over: Cell<bool>,
    waker: WithCell<Option<Waker>>,
}

impl Sleep {
    /// Makes a future that is ready once the loop has made the call that `begin` requests.
    pub(super) fn new(begin: impl FnOnce(Box<dyn FnOnce()>) -> DelayedCall) -> Self {
        let state = Rc::<SleepState>::default();
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
        let waker = context.waker().clone(); // foreign code, so before the borrow
        let old = self.state.waker.replace(Some(waker));
        drop(old); // foreign code, so after the borrow
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.timer.cancel();
    }
}
