//! The timer of a wait: it wakes the task that waits.

use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use procession_core::driver::WithCell;
use procession_reactor::Handle;

use crate::deadline_timer::DeadlineTimer;

/// Wakes a task at a deadline, after what is ready was handled.
#[derive(Default)]
pub(super) struct Alarm {
    timer: DeadlineTimer,
    waker: WithCell<Option<Waker>>,
    has_rung: WithCell<bool>,
}

impl Alarm {
    /// Sets the deadline, and the task to wake.
    pub(super) fn set(self: &Rc<Self>, reactor: &Handle, at: Option<Duration>, cx: &Context<'_>) {
        let old = self.waker.replace(Some(cx.waker().clone()));
        drop(old);
        self.timer.set(reactor, at, self, Self::ring);
    }

    /// Returns whether it has rung since the last call.
    pub(super) fn has_rung(&self) -> bool {
        self.has_rung.replace(false)
    }

    pub(super) fn cancel(&self) {
        self.timer.cancel();
        self.has_rung.replace(false);
        drop(self.waker.take());
    }

    fn ring(self: &Rc<Self>) {
        self.timer.on_called();
        self.has_rung.replace(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
