//! The child's exit: seen by its pidfd, reaped by `waitid(WNOHANG)`, told to the lifecycle.

use super::leftovers::Leftovers;
use super::state::{ExitWatch, State};
use super::{EXIT, Transport, sigchld};
use crate::sys::{self, Waited};
use procession_protocol::{ExitReason, ProcessTerminated, exit_reason};
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
        let watch = self.state.with(|state| std::mem::replace(&mut state.exit, ExitWatch::Gone));
        let ExitWatch::New(Some(pidfd)) = watch else {
            self.state.with(|state| state.exit = watch);
            return sigchld::watch(self);
        };
        // Not yet in the poller: where that refuses it, the pidfd is here to be taken back.
        let key = self.driver.reactor().add_source(pidfd, Interest::PAUSED, self.clone(), EXIT)?;
        self.state.with(|state| state.exit = ExitWatch::Source(key));
        self.driver.reactor().set_interest(key, Interest::READABLE_LATE)
    }

    /// The child could not be given to the loop, or is not to run after all: it is killed and reaped,
    /// its ends are closed, and nobody is called back.
    pub(crate) fn give_up(&self) {
        let (left, pidfd) = self.state.with(|state| {
            let pidfd = state.take_pidfd(self.driver.reactor());
            // As it is nobody's any more, it counts as reaped.
            state.lifecycle.on_reaped(Err(ProcessTerminated::lost()), self.driver.reactor().now());
            (state.on_reactor_dropped(self.driver.reactor()), pidfd)
        });
        let (pid, group) = self.state.with(|state| (state.pid, state.policy.leads_group));
        crate::orphans::end_now(pid, pidfd, group);
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
        let left = self.state.with(|state| state.try_reap(self.driver.reactor()));
        let Some(left) = left else { return };
        self.schedule_drain();
        self.watch_group();
        left.settle();
    }

    /// Arms the bound on descendants that hold a pipe, if there is one.
    fn schedule_drain(&self) {
        let Some(deadline) = self.state.with(|state| state.lifecycle.poll_deadline()) else {
            return;
        };
        let Some(me) = self.driver.me().upgrade() else { return };
        let after = deadline.saturating_sub(self.driver.reactor().now());
        let timer = self.driver.reactor().call_later(after, move |_| me.drain());
        let old = self.state.with(|state| state.drain_timer.replace(timer));
        drop(old);
    }
}

impl State {
    /// Reaps the child if it has ended; what is left over then.
    fn try_reap(&mut self, reactor: &Handle) -> Option<Leftovers> {
        let peak = self.parent_peak_kib;
        self.kill_group_before_reap(reactor);
        let reason: ExitReason =
            match self.with_child(reactor, |child| sys::try_reap(child, peak))? {
                Ok(Waited::Running) => return None,
                Ok(Waited::Reaped(status, usage)) => exit_reason(status, Some(usage)),
                // Nothing else can be known of it: an end without a status.
                Ok(Waited::Lost) | Err(_) => Err(ProcessTerminated::lost()),
            };
        let mut left = Leftovers::default();
        self.running = None;
        self.put_pidfd_away(reactor);
        self.close_slave();
        self.settle(reactor, &reason, &mut left);
        self.lifecycle.on_reaped(reason, reactor.now());
        Some(left)
    }

    /// A leader's pidfd is what its group is signalled by, also after the reap.
    fn put_pidfd_away(&mut self, reactor: &Handle) {
        let ExitWatch::Source(key) = std::mem::replace(&mut self.exit, ExitWatch::Gone) else {
            return;
        };
        if !self.policy.leads_group {
            reactor.close(key);
        } else if let Some(pidfd) = reactor.take_fd(key) {
            self.exit = ExitWatch::Kept(pidfd);
        }
    }
}
