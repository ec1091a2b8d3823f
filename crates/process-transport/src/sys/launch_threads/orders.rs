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
    /// The threads that sleep.
    sleeps: [bool; THREADS],
}

impl Orders {
    /// Takes the next order for a thread; if there is none, the thread must sleep.
    pub(super) fn next(&mut self, thread: usize) -> Option<Order> {
        let order = self.own[thread].pop_front();
        let order = order.or_else(|| self.shared.pop_front().map(Order::Launch));
        self.sleeps[thread] = order.is_none();
        order
    }

    /// Adds a launch for either thread; returns which one to wake.
    pub(super) fn push_shared(&mut self, job: Box<LaunchJob>) -> Option<usize> {
        self.shared.push_back(job);
        let sleeper = self.sleeps.iter().position(|sleeps| *sleeps)?;
        self.wake(sleeper)
    }

    /// Adds an order for one thread; returns whether to wake it.
    pub(super) fn push_own(&mut self, thread: usize, order: Order) -> Option<usize> {
        self.own[thread].push_back(order);
        self.wake(thread)
    }

    /// Returns which of the first `threads` threads gets an order of its own soonest.
    pub(super) fn least_busy(&self, threads: usize) -> usize {
        let load = |thread: &usize| (!self.sleeps[*thread], self.own[*thread].len());
        (0..threads).min_by_key(load).unwrap_or(0)
    }

    fn wake(&mut self, thread: usize) -> Option<usize> {
        std::mem::take(&mut self.sleeps[thread]).then_some(thread)
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
