//! The end of a child: its exit, the limit on descendants that hold its pipes, and terminations,
//! with the timers of both.
//!
//! The pidfd reports the exit, or SIGCHLD if there is no pidfd; then `waitid(WNOHANG)` reaps the
//! child. If a termination of a group is under way, the reap comes later, from the termination's
//! timer.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use procession_core::{Deferred, NoError, Signal};
use procession_protocol::driver::ProcessControl;
use procession_protocol::{ChildFd, ProcessTerminated, SignalError, Termination, UnknownEnd};
use procession_reactor::driver::{Machine, OpenError};
use procession_reactor::{Interest, Stopped};

use super::driver::{ChildTransport, EXIT};
use super::parts::sigchld::{self, PolledChild};
use super::parts::{DrainStep, End, Leftovers, TimerChange};

/// The exit.
impl ChildTransport {
    /// Makes the loop watch for the exit.
    pub(super) fn watch_exit(self: &Rc<Self>) -> io::Result<()> {
        if self.state.with(|state| state.lifecycle.is_reaped()) {
            self.schedule_drain();
            return Ok(());
        }
        let Some(pidfd) = self.state.with(|state| state.exit.take_new()) else {
            return sigchld::watch(self.reactor(), self.clone());
        };
        let io = self.reactor().io();
        match io.add_source(pidfd, Interest::READABLE_LATE, self.clone(), EXIT) {
            Ok(key) => {
                self.state.with(|state| state.exit.on_watched(key));
                Ok(())
            }
            Err(OpenError { error, fd: pidfd, .. }) => {
                self.state.with(|state| state.exit.put_back(pidfd));
                Err(error)
            }
        }
    }

    /// Kills and reaps a child that the loop could not take, or that shall not run after all;
    /// closes its ends, without a callback.
    pub(crate) fn give_up(&self) {
        let (left, pidfd) = self.state.with(|state| {
            state.termination.kill_branch();
            let pidfd = state.exit.take_back(self.reactor());
            // It counts as reaped, because this transport no longer owns it.
            state.lifecycle.on_reaped(
                Err(ProcessTerminated::unknown(UnknownEnd::NotReaped)),
                self.reactor().now(),
            );
            let (left, _nothing_of_it_is_left_to_end) = state.on_reactor_dropped(self.reactor());
            (left, pidfd)
        });
        let (pid, group) = self.state.with(|state| (state.exit.number(), state.exit.group()));
        crate::orphans::end_now(pid, pidfd, group.is_some());
        drop(left);
        drop(self.slot.retire());
    }

    /// Handles a readable pidfd, which is only a hint: the wait decides.
    pub(super) fn exit_ready(&self) {
        let left = self.state.with(|state| state.on_exit_seen(self.reactor()));
        let Some(left) = left else { return self.ask_after_a_pause() };
        self.go_on_terminating();
        left.settle();
    }
}

/// A child that has ended and that a tracer holds.
impl ChildTransport {
    fn ask_after_a_pause(&self) {
        let Some(after) = self.state.with(|state| state.exit.on_held(self.reactor())) else {
            return;
        };
        let me = self.me().clone();
        // Nothing cancels this timer: it may find a child that is reaped or gone.
        let _timer = self.reactor().call_later(after, move |_| {
            if let Some(me) = me.upgrade().filter(|me| !PolledChild::is_over(&**me)) {
                me.poll_exit();
            }
        });
    }
}

/// Polled at SIGCHLD, without pidfds.
impl PolledChild for ChildTransport {
    fn poll_exit(&self) {
        let _pump = self.pump_after_a_panic();
        self.exit_ready();
        self.pump();
    }

    fn is_over(&self) -> bool {
        self.state.with(|state| state.exit.is_over())
    }
}

/// The limit on descendants that hold a pipe.
impl ChildTransport {
    /// Sets the timer of the limit once, if there is a limit.
    fn schedule_drain(&self) {
        let deadline = self
            .state
            .with(|state| state.lifecycle.poll_deadline().filter(|_| state.drain_timer.is_none()));
        let Some(deadline) = deadline else { return };
        let Some(me) = self.me().upgrade() else { return };
        let after = deadline.saturating_sub(self.reactor().now());
        let timer = self.reactor().call_at_deadline(after, move |_| me.drain());
        let old = self.state.with(|state| state.drain_timer.replace(Box::new(timer)));
        drop(old);
    }

    /// Drains the pipes: the limit has passed, or a paused end was resumed after it.
    pub(super) fn drain(&self) {
        let _pump = self.pump_after_a_panic();
        let now = self.reactor().now();
        let forwards = self.state.with(|state| {
            state.lifecycle.on_time(now);
            state.begin_to_drain(self.reactor())
        });
        for (forward, bytes) in forwards {
            forward.drain(bytes);
        }
        let draining: Vec<ChildFd> = self
            .state
            .with(|state| state.ends.iter().filter(|end| end.is_draining()).map(End::fd).collect());
        for fd in draining {
            self.drain_one(fd);
        }
        self.pump();
    }

    /// Reads what the pipe held when the limit passed, and closes it.
    fn drain_one(&self, fd: ChildFd) {
        let next = || {
            let step =
                self.state.with(|state| Some(state.ends.get(fd)?.drain_step(self.reactor())));
            step.unwrap_or(DrainStep::Wait)
        };
        loop {
            match next() {
                DrainStep::Wait => return,
                DrainStep::MoveOn(forward, left) => return forward.drain(left),
                DrainStep::Data(data) => {
                    let refused = self.state.with(|state| state.lifecycle.on_data(fd, data));
                    drop(refused);
                    self.pump();
                }
                DrainStep::Close => {
                    let mut left = Leftovers::default();
                    self.state.with(|state| state.close(self.reactor(), fd, &mut left));
                    return left.settle();
                }
            }
        }
    }
}

/// Terminations.
impl ChildTransport {
    pub(super) fn terminate_with(
        &self,
        signal: Signal,
        grace: Duration,
    ) -> Deferred<Termination, SignalError> {
        for fd in self.slot.producers().cut_off() {
            self.hold_open(fd, false);
        }
        let is_closed = self.reactor().is_closed();
        let (promise, deferred) = Deferred::new();
        let settled = self.state.with(|state| {
            if is_closed && !state.termination.is_under_way() {
                drop(state.termination.on_gone()); // none is under way
            }
            state.exit.on_asked_to_end();
            state.termination.on_terminate(promise, signal, grace, self.reactor().now());
            state.terminate_on(self.reactor())
        });
        self.go_on_terminating();
        match settled {
            None => {}
            // Other callers may wait for it too; the loop calls them.
            Some(settled) if settled.has_ended() && !is_closed => {
                self.reactor().call_soon(move |_| settled.complete());
            }
            Some(settled) => settled.complete(),
        }
        deferred
    }

    /// Ends a child that is killed on drop, because its owner is gone, unless a termination is
    /// under way.
    pub(crate) fn end_with_owner(&self, grace: Duration) {
        if self.state.with(|state| state.is_to_end_with_owner(self.reactor())) {
            let signal = if grace.is_zero() { Signal::KILL } else { Signal::TERM };
            // Nobody waits for the result.
            self.terminate_with(signal, grace).done(drop);
        }
    }

    fn termination_due(&self) {
        let settled = self.state.with(|state| state.on_termination_due(self.reactor()));
        self.go_on_terminating();
        if self.state.with(|state| !state.lifecycle.is_idle()) {
            self.queue_flush();
        }
        if let Some(settled) = settled {
            settled.complete();
        }
    }

    /// Ends the child because the program is about to end; returns what to wait for, if anything.
    pub(super) fn end_with_program(&self, why: Stopped) -> Option<Deferred<(), NoError>> {
        let is_under_way = || self.state.with(|state| state.termination.is_under_way());
        let is_ours = || self.state.with(|state| state.is_ended_by_loop());
        if !is_under_way() && why != Stopped::Finished && is_ours() {
            let grace = self.state.with(|state| state.grace_at_the_end());
            self.terminate_with(Signal::TERM, grace).done(drop);
        }
        if !is_under_way() {
            return None;
        }
        let (promise, over) = Deferred::new();
        let before = self.state.with(|state| state.termination.on_awaited(promise));
        drop(before);
        Some(over)
    }

    /// Schedules what is due later: if the child is reaped, its pipes are cut off later.
    fn go_on_terminating(&self) {
        self.schedule_drain();
        self.set_termination_timer();
        if self.state.with(|state| state.lifecycle.has_drain()) {
            self.queue_flush();
        }
        if let Some(over) = self.state.with(|state| state.termination.take_over()) {
            self.reactor().call_soon(move |_| over.complete(Ok(())));
        }
    }

    fn set_termination_timer(&self) {
        match self.state.with(|state| state.termination.alarm(self.reactor())) {
            TimerChange::AsItIs => {}
            TimerChange::Cancel(timer) => timer.cancel(),
            TimerChange::Set(after) => {
                // It holds the child, so that a group whose leader was reaped is ended, also where the
                // loop goes away before.
                let me = self.me().upgrade();
                let timer = self.reactor().call_at_deadline(after, move |_| {
                    me.inspect(|me| me.termination_due());
                });
                self.state.with(|state| state.termination.on_alarm_set(timer));
            }
        }
    }
}
