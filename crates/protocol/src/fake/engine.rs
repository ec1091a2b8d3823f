//! The driver of a fake child: it decides with its state borrowed, and acts when it is not.
//!
//! A round flushes every queue, reads every pipe, drains what is due, then delivers one event. The
//! rounds go on until nothing is due. A round that is asked for inside a callback is left to the
//! one that is under way, so that no method of the handle calls the protocol.

use super::pipe::FakePipe;
use super::termination::{FakeTermination, Sent};
use crate::lifecycle::Lifecycle;
use crate::slot::ProtocolSlot;
use crate::{ChildFd, Event, ExitReason, Process, ProcessProtocol};
use procession_core::driver::{Spent, WithCell};
use procession_core::{Clock, FakeClock, Timer};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::rc::{Rc, Weak};
use std::time::Duration;

pub(super) struct Engine {
    me: Weak<Self>,
    pub(super) slot: ProtocolSlot,
    pub(super) state: WithCell<State>,
    pub(super) clock: FakeClock,
    /// Rounds are under way.
    running: Cell<bool>,
}

pub(super) struct State {
    pub(super) lifecycle: Lifecycle,
    pub(super) pipes: BTreeMap<ChildFd, FakePipe>,
    pub(super) sent: Sent,
    pub(super) termination: FakeTermination,
    /// The deadline of the termination.
    termination_timer: Option<Timer>,
    /// The end of `drain_after_exit`.
    drain_timer: Option<Timer>,
}

impl Engine {
    pub(super) fn new(
        protocol: Box<dyn ProcessProtocol>,
        pipes: BTreeMap<ChildFd, FakePipe>,
    ) -> Rc<Self> {
        let lifecycle = Lifecycle::new(pipes.keys().copied(), None);
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            slot: ProtocolSlot::new(protocol),
            state: WithCell::new(State {
                lifecycle,
                pipes,
                sent: Sent::default(),
                termination: FakeTermination::new(),
                termination_timer: None,
                drain_timer: None,
            }),
            clock: FakeClock::new(),
            running: Cell::new(false),
        })
    }

    /// Runs rounds until nothing is due.
    ///
    /// # Panics
    ///
    /// A panic of the protocol goes on, once the state is in order.
    pub(super) fn run(&self) {
        let Some(me) = self.me.upgrade() else { return };
        if self.running.replace(true) {
            return;
        }
        let _running = Running(&self.running);
        let process = Process::from_control(me);
        while let Some(event) = self.round() {
            if let Err(panic) = self.slot.try_deliver(&process, event) {
                self.on_panicked();
                resume_unwind(panic);
            }
        }
    }

    /// The child has ended, and is reaped unless its termination keeps it.
    pub(super) fn end(&self, reason: ExitReason) {
        let now = self.clock.elapsed();
        let deadline = self.state.with(|state| {
            let reason = state.termination.on_ended(reason)?;
            state.lifecycle.on_reaped(reason, now);
            state.termination.on_reaped(now);
            state.lifecycle.poll_deadline()
        });
        if let Some(deadline) = deadline {
            self.schedule_drain(deadline.saturating_sub(now));
        }
        self.terminate_on();
    }

    /// Does what the termination asks for, sets its timer, and tells the calls that are settled.
    pub(super) fn terminate_on(&self) {
        let now = self.clock.elapsed();
        let (settled, deadline, old) = self.state.with(|state| {
            let State { termination, sent, lifecycle, termination_timer, .. } = state;
            let settled = termination.act(sent, lifecycle, now);
            (settled, termination.deadline(), termination_timer.take())
        });
        drop(old);
        if let Some(deadline) = deadline {
            self.schedule_termination(deadline.saturating_sub(now));
        }
        if let Some(settled) = settled {
            settled.complete();
        }
    }

    /// Drops the protocol, and with it a cycle that it may be part of.
    pub(super) fn retire(&self) {
        drop(self.slot.retire());
        self.on_panicked();
        let timer = self.state.with(|state| {
            state.termination.on_gone();
            state.drain_timer.take()
        });
        drop(timer);
        self.terminate_on();
    }

    /// Does all that needs no protocol, and takes the event that is due next.
    fn round(&self) -> Option<Event> {
        let mut spent = Vec::new();
        let event = self.state.with(|state| state.round(&mut spent));
        drop(spent);
        event
    }

    /// No more events: queues are dropped, writers closed, readers drained.
    fn on_panicked(&self) {
        let mut spent = Vec::new();
        self.state.with(|state| {
            spent.push(state.lifecycle.on_panicked());
            for pipe in state.pipes.values_mut() {
                pipe.abandon(&mut spent);
            }
        });
        while self.round().is_some() {}
    }

    fn schedule_drain(&self, after: Duration) {
        let me = self.me.clone();
        let timer = self.clock.schedule(
            after,
            Box::new(move || {
                let Some(me) = me.upgrade() else { return };
                let now = me.clock.elapsed();
                me.state.with(|state| state.lifecycle.on_time(now));
                me.run();
            }),
        );
        let old = self.state.with(|state| state.drain_timer.replace(timer));
        drop(old);
    }

    fn schedule_termination(&self, after: Duration) {
        let me = self.me.clone();
        let timer = self.clock.schedule(
            after,
            Box::new(move || {
                let Some(me) = me.upgrade() else { return };
                let now = me.clock.elapsed();
                me.state.with(|state| state.termination.on_time(now));
                me.terminate_on();
                me.run();
            }),
        );
        let old = self.state.with(|state| state.termination_timer.replace(timer));
        drop(old);
    }
}

impl State {
    fn round(&mut self, spent: &mut Vec<Spent>) -> Option<Event> {
        for (fd, pipe) in &mut self.pipes {
            if self.lifecycle.is_open(*fd) {
                pipe.flush(*fd, &mut self.lifecycle, spent);
                pipe.read(*fd, &mut self.lifecycle, spent);
            }
        }
        while let Some(fd) = self.lifecycle.poll_drain() {
            if let Some(pipe) = self.pipes.get_mut(&fd) {
                pipe.drain(fd, &mut self.lifecycle, spent);
            }
        }
        self.lifecycle.poll_event()
    }
}

/// Ends the rounds, also when a callback panicked.
struct Running<'a>(&'a Cell<bool>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
