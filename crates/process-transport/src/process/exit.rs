//! The child's exit: seen by its pidfd, reaped by `waitid(WNOHANG)`, told to the lifecycle.

use super::leftovers::Leftovers;
use super::state::State;
use super::{EXIT, Transport, sigchld};
use procession_protocol::ProcessTerminated;
use procession_reactor::driver::Drive;
use procession_reactor::{Handle, Interest};
use std::io;
use std::rc::Rc;

impl Transport {
    /// Gives the pidfd to the loop.
    pub(super) fn watch_exit(self: &Rc<Self>) -> io::Result<()> {
        if self.is_reaped() {
            self.schedule_drain();
            return Ok(());
        }
        let Some(pidfd) = self.state.with(|state| state.exit.take_new()) else {
            return sigchld::watch(self);
        };
        // Not yet in the poller: where that refuses it, the pidfd is here to be taken back.
        let key = self.reactor().add_source(pidfd, Interest::PAUSED, self.clone(), EXIT)?;
        self.state.with(|state| state.exit.on_watched(key));
        self.reactor().set_interest(key, Interest::READABLE_LATE)
    }

    /// The child could not be given to the loop, or is not to run after all: it is killed and reaped,
    /// its ends are closed, and nobody is called back.
    pub(crate) fn give_up(&self) {
        let (left, pidfd) = self.state.with(|state| {
            let pidfd = state.exit.take_back(self.reactor());
            // As it is nobody's any more, it counts as reaped.
            state.lifecycle.on_reaped(Err(ProcessTerminated::lost()), self.reactor().now());
            (state.on_reactor_dropped(self.reactor()), pidfd)
        });
        let (pid, group) = self.state.with(|state| (state.exit.number(), state.exit.group()));
        crate::orphans::end_now(pid, pidfd, group.is_some());
        drop(left);
        drop(self.slot.retire());
    }

    /// A SIGCHLD may have been this child's.
    pub(super) fn asked(&self) {
        let _pump = self.pump_after_a_panic();
        self.exit_ready();
        self.pump();
    }

    pub(super) fn is_reaped(&self) -> bool {
        self.state.with(|state| state.lifecycle.is_reaped())
    }

    /// The pidfd is readable, which is a hint: only the wait tells.
    pub(super) fn exit_ready(&self) {
        let left = self.state.with(|state| state.try_reap(self.reactor()));
        let Some(left) = left else { return };
        self.schedule_drain();
        self.set_termination_timer();
        left.settle();
    }

    /// Arms the bound on descendants that hold a pipe, if there is one.
    fn schedule_drain(&self) {
        let Some(deadline) = self.state.with(|state| state.lifecycle.poll_deadline()) else {
            return;
        };
        let Some(me) = self.me().upgrade() else { return };
        let after = deadline.saturating_sub(self.reactor().now());
        let timer = self.reactor().call_later(after, move |_| me.drain());
        let old = self.state.with(|state| state.drain_timer.replace(timer));
        drop(old);
    }
}

impl State {
    /// Reaps the child if it has ended; what is left over then.
    fn try_reap(&mut self, reactor: &Handle) -> Option<Leftovers> {
        self.termination.before_reap(&self.exit, reactor);
        let reason = self.exit.try_reap(reactor)?;
        let mut left = Leftovers::default();
        self.running = None;
        self.close_slave();
        self.termination.on_reaped(reactor.now());
        left.complete(self.termination.act(&self.exit, reactor, Some(&reason)));
        self.lifecycle.on_reaped(reason, reactor.now());
        Some(left)
    }
}
