//! The timer for the deadline of a pure core.

use std::rc::Rc;
use std::time::Duration;

use procession_core::driver::WithCell;
use procession_reactor::{DelayedCall, Handle};

/// One timer, with the time that it is set to.
#[derive(Default)]
pub(crate) struct DeadlineTimer(WithCell<Option<(Duration, DelayedCall)>>);

impl DeadlineTimer {
    /// Sets or cancels the timer, if the deadline has changed. It calls with the owner, which it does
    /// not keep, and which reports [`on_called`](Self::on_called) then.
    pub(crate) fn set<T: 'static>(
        &self,
        reactor: &Handle,
        deadline: Option<Duration>,
        owner: &Rc<T>,
        call: fn(&Rc<T>),
    ) {
        if deadline == self.0.with(|timer| timer.as_ref().map(|(at, _)| *at)) {
            return;
        }
        self.cancel();
        let Some(at) = deadline else { return };
        let weak = Rc::downgrade(owner);
        let after = at.saturating_sub(reactor.now());
        let timer = reactor.call_at_deadline(after, move |_| {
            if let Some(owner) = weak.upgrade() {
                call(&owner);
            }
        });
        let none = self.0.replace(Some((at, timer)));
        drop(none);
    }

    /// Notes that the timer has called.
    pub(crate) fn on_called(&self) {
        drop(self.0.take());
    }

    pub(crate) fn cancel(&self) {
        if let Some((_, timer)) = self.0.take() {
            timer.cancel();
        }
    }
}
