//! What the launch threads have to do: orders for either of them, and orders for one of them.

use std::collections::VecDeque;

use super::job::LaunchJob;

/// How many threads there are at most.
pub(super) const THREADS: usize = 2;

/// One order for a launch thread.
pub(super) enum Order {
    /// A socket of this asker is the next message.
    Register(u64),
    Forget(u64),
    /// If descriptors travel with it, they are the next message.
    Launch(Box<LaunchJob>),
    /// The next message belongs to a launch that was withdrawn.
    Discard,
}

/// The orders that wait.
#[derive(Default)]
pub(super) struct Orders {
    /// Launches for either thread.
    shared: VecDeque<Box<LaunchJob>>,
    /// Orders for one thread, in the order of the messages on its socket.
    own: [VecDeque<Order>; THREADS],
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
    /// Takes the next order for a thread; if there is none, the thread must do what it says.
    pub(super) fn next(&mut self, thread: usize, otherwise: Idle) -> Option<Order> {
        let order = self.own[thread].pop_front();
        let order = order.or_else(|| self.shared.pop_front().map(Order::Launch));
        self.idle[thread] = order.is_none().then_some(otherwise);
        order
    }

    /// Adds a launch for either thread; returns which one to call, and what that one does.
    pub(super) fn push_shared(&mut self, job: Box<LaunchJob>) -> Option<(usize, Idle)> {
        self.shared.push_back(job);
        let first = |idle| self.idle.iter().position(|one| *one == Some(idle));
        // To call a thread that polls costs next to nothing.
        let thread = first(Idle::Polls).or_else(|| first(Idle::Sleeps))?;
        self.call(thread)
    }

    /// Adds an order for one thread; returns whether to call it.
    pub(super) fn push_own(&mut self, thread: usize, order: Order) -> Option<(usize, Idle)> {
        self.own[thread].push_back(order);
        self.call(thread)
    }

    /// Returns which of the first `threads` threads gets an order of its own soonest.
    pub(super) fn least_busy(&self, threads: usize) -> usize {
        let after = |idle: Option<Idle>| match idle {
            Some(Idle::Polls) => 0,
            Some(Idle::Sleeps) => 1,
            None => 2,
        };
        let load = |thread: &usize| (after(self.idle[*thread]), self.own[*thread].len());
        (0..threads).min_by_key(load).unwrap_or(0)
    }

    fn call(&mut self, thread: usize) -> Option<(usize, Idle)> {
        Some((thread, self.idle[thread].take()?))
    }

    /// Takes back a launch that no thread has begun.
    pub(super) fn withdraw(&mut self, id: u64) -> Option<Box<LaunchJob>> {
        if let Some(at) = self.shared.iter().position(|job| job.id == id) {
            return self.shared.remove(at);
        }
        let is_it = |order: &&mut Order| matches!(order, Order::Launch(job) if job.id == id);
        let order = self.own.iter_mut().flatten().find(is_it)?;
        match std::mem::replace(order, Order::Discard) {
            Order::Launch(job) => Some(job),
            _ => None,
        }
    }
}
