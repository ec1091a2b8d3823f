//! What the launch threads have to do.

use std::collections::VecDeque;
use std::time::Instant;

/// How many threads there are at most.
pub(super) const THREADS: usize = 2;

/// One launch.
pub(crate) type Order = Box<dyn FnOnce() + Send>;

/// The orders that wait.
#[derive(Default)]
pub(super) struct Orders {
    waiting: VecDeque<WaitingOrder>,
    /// What the threads do that have no order; `None` for one that works, or that was called.
    idle: [Option<Idle>; THREADS],
}

struct WaitingOrder {
    id: u64,
    since: Instant,
    order: Order,
}

/// What a thread without an order does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Idle {
    /// It looks again and again whether it was called.
    Polls,
    Sleeps,
}

impl Orders {
    /// Adds an order; returns which thread to call, and what that one does.
    pub(super) fn add(&mut self, id: u64, since: Instant, order: Order) -> Option<(usize, Idle)> {
        self.waiting.push_back(WaitingOrder { id, since, order });
        let first = |idle| self.idle.iter().position(|one| *one == Some(idle));
        // To call a thread that polls costs next to nothing.
        let thread = first(Idle::Polls).or_else(|| first(Idle::Sleeps))?;
        Some((thread, self.idle[thread].take()?))
    }

    /// Takes the next order for a thread, with the time since when it waits. If there is none, the thread
    /// must do what it says.
    pub(super) fn next(&mut self, thread: usize, otherwise: Idle) -> Option<(Instant, Order)> {
        let next = self.waiting.pop_front();
        self.idle[thread] = next.is_none().then_some(otherwise);
        next.map(|next| (next.since, next.order))
    }

    /// Takes back an order that no thread has begun.
    pub(super) fn withdraw(&mut self, id: u64) -> Option<Order> {
        let index = self.waiting.iter().position(|one| one.id == id)?;
        self.waiting.remove(index).map(|one| one.order)
    }
}
