//! What the launch threads have to do.

use std::collections::BTreeMap;

/// How many threads there are at most.
pub(super) const THREADS: usize = 2;

/// One launch.
pub(crate) type Order = Box<dyn FnOnce() + Send>;

/// The orders that wait.
#[derive(Default)]
pub(super) struct Orders {
    /// By their numbers, which grow with each order.
    waiting: BTreeMap<u64, Order>,
    /// What the threads do that have no order; `None` for one that works, or that was called.
    idle: [Option<Idle>; THREADS],
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
    pub(super) fn add(&mut self, id: u64, order: Order) -> Option<(usize, Idle)> {
        self.waiting.insert(id, order);
        let first = |idle| self.idle.iter().position(|one| *one == Some(idle));
        // To call a thread that polls costs next to nothing.
        let thread = first(Idle::Polls).or_else(|| first(Idle::Sleeps))?;
        Some((thread, self.idle[thread].take()?))
    }

    /// Takes the next order for a thread; if there is none, the thread must do what it says.
    pub(super) fn next(&mut self, thread: usize, otherwise: Idle) -> Option<Order> {
        let order = self.waiting.pop_first().map(|(_, order)| order);
        self.idle[thread] = order.is_none().then_some(otherwise);
        order
    }

    /// Takes back an order that no thread has begun.
    pub(super) fn withdraw(&mut self, id: u64) -> Option<Order> {
        self.waiting.remove(&id)
    }
}
