//! Terminating a child: the calls, the timer, and the end of the loop.

use super::Transport;
use super::parts::{Alarm, SettledCalls};
use super::state::State;
use procession_core::{Deferred, Signal};
use procession_protocol::{SignalError, Termination};
use procession_reactor::Handle;
use std::rc::Rc;
use std::time::Duration;

/// What the timer of a termination holds: the child, so that a group whose leader was reaped gets its
/// KILL, also where the loop goes away before.
struct TerminationTimer(Option<Rc<Transport>>);

impl TerminationTimer {
    fn fire(mut self) {
        if let Some(child) = self.0.take() {
            child.termination_due();
        }
    }
}

/// It was cancelled, or is dropped with the loop.
impl Drop for TerminationTimer {
    fn drop(&mut self) {
        if let Some(child) = self.0.take()
            && child.state.with(|state| state.termination.has_timer())
        {
            child.loop_is_gone();
        }
    }
}

impl State {
    /// Does what the termination asks for; the calls that are settled come back.
    fn terminate_on(&mut self, reactor: &Handle) -> Option<SettledCalls> {
        self.termination.act(&self.exit, reactor, self.lifecycle.reason())
    }
}

impl Transport {
    pub(super) fn terminate_with(
        &self,
        signal: Signal,
        grace: Duration,
    ) -> Deferred<Termination, SignalError> {
        let is_closed = self.reactor().is_closed();
        let (promise, deferred) = Deferred::new();
        let settled = self.state.with(|state| {
            if is_closed && !state.termination.is_under_way() {
                state.termination.on_gone();
            }
            state.termination.on_terminate(promise, signal, grace, self.reactor().now());
            state.terminate_on(self.reactor())
        });
        self.set_termination_timer();
        match settled {
            None => {}
            // Others may wait for it too, who are called by the loop.
            Some(settled) if settled.has_ended() && !is_closed => {
                self.reactor().call_soon(move |_| settled.complete());
            }
            Some(settled) => settled.complete(),
        }
        deferred
    }

    fn termination_due(&self) {
        let settled = self.state.with(|state| {
            state.termination.on_time(self.reactor().now());
            state.terminate_on(self.reactor())
        });
        self.set_termination_timer();
        if let Some(settled) = settled {
            settled.complete();
        }
    }

    /// No timer fires any more.
    fn loop_is_gone(&self) {
        let settled = self.state.with(|state| {
            state.termination.on_gone();
            state.terminate_on(self.reactor())
        });
        if let Some(settled) = settled {
            settled.complete();
        }
    }

    pub(super) fn set_termination_timer(&self) {
        match self.state.with(|state| state.termination.alarm(self.reactor().now())) {
            Alarm::AsItIs => {}
            Alarm::Cancel(timer) => timer.cancel(),
            Alarm::Set(after) => {
                let timer = TerminationTimer(self.me().upgrade());
                let timer = self.reactor().call_later(after, move |_| timer.fire());
                self.state.with(|state| state.termination.on_alarm_set(timer));
            }
        }
    }
}
