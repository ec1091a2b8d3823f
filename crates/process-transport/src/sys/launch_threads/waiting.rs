//! How a launch thread waits for its next order.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use super::orders::{Idle, Order};

/// How long a thread polls after a launch. A loop that starts one short child after the other asks for
/// the next one within this time. To wake a thread that sleeps takes the loop's call 8 µs, and the
/// processor then begins with cold caches. If every processor is busy, the thread may even get that of the
/// loop, which then stands still until the child has begun its program.
const POLL_TIME: Duration = Duration::from_micros(150);

/// An order that was made in time, but comes later than this, is no reason to poll again. At rest a thread
/// wakes up within 50 µs.
const LATE: Duration = POLL_TIME.saturating_mul(2);

/// Whether the thread polls before it sleeps: it does so if the last order after a launch was made within
/// the time of a poll. So only an order that is later than expected costs a poll.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// When the launch was over, if it was the last thing that the thread did.
    launched: Cell<Option<Instant>>,
    came_soon: Cell<bool>,
}

impl Waiting {
    /// Records that a launch is over.
    pub(super) fn on_launched(&self) {
        self.launched.set(Some(now()));
    }

    /// Returns the next order, as soon as there is one.
    pub(super) fn next(
        &self,
        next: &impl Fn(Idle) -> Option<(Instant, Order)>,
        is_called: &impl Fn() -> bool,
    ) -> Order {
        let Some(launched) = self.launched.take() else { return sleep(next).1 };
        let polled = if self.came_soon.get() { poll(launched, next, is_called) } else { None };
        let (since, order) = polled.unwrap_or_else(|| sleep(next));
        let was_soon = since.saturating_duration_since(launched) < POLL_TIME;
        self.came_soon.set(was_soon && launched.elapsed() < LATE);
        order
    }
}

/// Sleeps until there is an order.
fn sleep(next: &impl Fn(Idle) -> Option<(Instant, Order)>) -> (Instant, Order) {
    loop {
        match next(Idle::Sleeps) {
            Some(order) => return order,
            None => thread::park(),
        }
    }
}

/// Polls for an order. Between two looks it yields the processor. If others need it, this takes long, the
/// order is late, and the thread sleeps the next time: then it gets the processor sooner.
fn poll(
    launched: Instant,
    next: &impl Fn(Idle) -> Option<(Instant, Order)>,
    is_called: &impl Fn() -> bool,
) -> Option<(Instant, Order)> {
    let mut order = next(Idle::Polls);
    while order.is_none() && launched.elapsed() < POLL_TIME {
        thread::yield_now();
        if is_called() {
            // The other thread may have been quicker.
            order = next(Idle::Polls);
        }
    }
    order
}

#[expect(clippy::disallowed_methods, reason = "a thread without a loop has no other clock")]
pub(super) fn now() -> Instant {
    Instant::now()
}
