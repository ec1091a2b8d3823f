//! The driver of a fake connection: it decides with its state borrowed, and acts when it is not.
//!
//! A round flushes the queue, reads if nothing is due, then delivers one event. The rounds go on
//! until nothing is due. A round that is asked for inside a callback is left to the one that is
//! under way, so that no method of the handle calls the protocol.

use super::wire::FakeWire;
use crate::connection::{ConnectionEvent, ConnectionLifecycle, ConnectionSlot};
use crate::{Address, Protocol, Transport};
use procession_core::driver::{Spent, WithCell};
use std::cell::Cell;
use std::io;
use std::panic::resume_unwind;
use std::rc::{Rc, Weak};

pub(super) struct Engine {
    me: Weak<Self>,
    slot: ConnectionSlot,
    pub(super) state: WithCell<State>,
    pub(super) peer: Address,
    pub(super) host: Address,
    /// Rounds are under way.
    running: Cell<bool>,
    /// What the protocol heard of the loss.
    lost: Cell<Option<Result<(), io::ErrorKind>>>,
}

pub(super) struct State {
    pub(super) lifecycle: ConnectionLifecycle,
    pub(super) wire: FakeWire,
}

impl Engine {
    pub(super) fn new(protocol: Box<dyn Protocol>, peer: Address, host: Address) -> Rc<Self> {
        let lifecycle = ConnectionLifecycle::of_socket();
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            slot: ConnectionSlot::new(protocol),
            state: WithCell::new(State { lifecycle, wire: FakeWire::new() }),
            peer,
            host,
            running: Cell::new(false),
            lost: Cell::new(None),
        })
    }

    pub(super) fn lost(&self) -> Option<Result<(), io::ErrorKind>> {
        self.lost.get()
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
        let transport = Transport::from_control(me);
        while let Some(event) = self.round() {
            if let ConnectionEvent::Lost(reason) = &event {
                self.lost.set(Some(reason.as_ref().map_err(io::Error::kind).copied()));
            }
            if let Err(panic) = self.slot.try_deliver(&transport, event) {
                self.give_up();
                resume_unwind(panic);
            }
        }
    }

    /// Changes the state, and drops what that leaves over when nothing is borrowed.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State, &mut Spent) -> R) -> R {
        let mut spent = Spent::new();
        let result = self.state.with(|state| change(state, &mut spent));
        drop(spent);
        result
    }

    /// Drops the protocol, and with it a cycle that it may be part of.
    pub(super) fn retire(&self) {
        drop(self.slot.retire());
        self.give_up();
    }

    /// No more events: the connection is closed.
    fn give_up(&self) {
        self.change(|state, spent| {
            spent.extend(state.lifecycle.on_given_up());
            state.meet(spent);
        });
    }

    /// Does all that needs no protocol, and takes the event that is due next.
    fn round(&self) -> Option<ConnectionEvent> {
        self.change(|state, spent| {
            state.wire.flush(&mut state.lifecycle, spent);
            state.meet(spent);
            if !state.lifecycle.has_event() {
                state.wire.read(&mut state.lifecycle, spent);
                state.meet(spent);
            }
            state.lifecycle.poll_event()
        })
    }
}

impl State {
    pub(super) fn meet(&mut self, spent: &mut Spent) {
        self.wire.meet(&mut self.lifecycle, spent);
    }
}

/// Ends the rounds, also when a callback panicked.
struct Running<'a>(&'a Cell<bool>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
