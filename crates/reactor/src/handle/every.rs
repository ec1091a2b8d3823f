//! Repeated calls at times that do not drift.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use procession_core::Timer;

use crate::handle::Handle;
use crate::handle::timers::DelayedCall;

/// A repeated call.
struct RepeatedCall<F> {
    interval: Duration,
    /// The time of the next call.
    due: Cell<Duration>,
    /// Moved out while it runs. `None` after a cancellation.
    call: Cell<Option<F>>,
    cancelled: Cell<bool>,
    planned: Cell<Option<DelayedCall>>,
}

/// Starts the calls: see [`Handle::call_every`].
pub(super) fn start<R, F: FnMut(&Handle, u64) -> R + 'static>(
    reactor: &Handle,
    interval: Duration,
    call: F,
) -> Timer {
    let every = Rc::new(RepeatedCall {
        interval,
        due: Cell::new(reactor.now().saturating_add(interval)),
        call: Cell::new(Some(call)),
        cancelled: Cell::new(false),
        planned: Cell::new(None),
    });
    plan(reactor, &every);
    Timer::new(move || every.cancel())
}

/// Schedules the next call.
fn plan<R, F: FnMut(&Handle, u64) -> R + 'static>(reactor: &Handle, every: &Rc<RepeatedCall<F>>) {
    let after = every.due.get().saturating_sub(reactor.now());
    let me = Rc::clone(every);
    let timer = reactor.call_later(after, move |reactor| tick(reactor, &me));
    every.planned.set(Some(timer));
}

fn tick<R, F: FnMut(&Handle, u64) -> R + 'static>(reactor: &Handle, every: &Rc<RepeatedCall<F>>) {
    let Some(mut call) = every.call.take() else { return };
    let skipped = every.pass(reactor.now());
    drop(call(reactor, skipped));
    if every.cancelled.get() {
        return; // which drops the call
    }
    every.call.set(Some(call));
    plan(reactor, every);
}

impl<F> RepeatedCall<F> {
    /// Plans the next time, and returns how many times passed without a call.
    fn pass(&self, now: Duration) -> u64 {
        let late = now.saturating_sub(self.due.get());
        let skipped = late.as_nanos().checked_div(self.interval.as_nanos()).unwrap_or(0);
        let passed = self.interval.as_nanos().saturating_mul(skipped + 1);
        let passed = Duration::from_nanos(passed.try_into().unwrap_or(u64::MAX));
        self.due.set(self.due.get().saturating_add(passed));
        skipped.try_into().unwrap_or(u64::MAX)
    }

    fn cancel(&self) {
        self.cancelled.set(true);
        let planned = self.planned.take();
        if let Some(planned) = planned {
            planned.cancel();
        }
        drop(self.call.take());
    }
}
