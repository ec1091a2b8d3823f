//! The driver of a fake connection: it decides while its state is borrowed, and acts when it is not.
//!
//! A round flushes the queue, reads if nothing is due, then delivers one event. Rounds repeat until
//! nothing is due. A request for rounds inside a callback does nothing, because the rounds under way go
//! on; so no method of the handle calls the protocol.

use std::cell::Cell;
use std::io;
use std::panic::resume_unwind;
use std::rc::{Rc, Weak};

use procession_core::driver::{Spent, WithCell};

use super::wire::FakeWire;
use crate::connection::{ConnectionEvent, ConnectionLifecycle, ConnectionSlot};
use crate::{Address, Protocol, Transport};

pub(super) struct Engine {
    me: Weak<Self>,
    pub(super) slot: ConnectionSlot,
    pub(super) state: WithCell<FakeConnectionState>,
    pub(super) peer: Address,
    pub(super) host: Address,
    /// Rounds are under way.
    running: Cell<bool>,
    /// The reason that `connection_lost` got.
    lost: Cell<Option<Result<(), io::ErrorKind>>>,
}

pub(super) struct FakeConnectionState {
    pub(super) lifecycle: ConnectionLifecycle,
    pub(super) wire: FakeWire,
}

impl Engine {
    pub(super) fn new(protocol: Box<dyn Protocol>, peer: Address, host: Address) -> Rc<Self> {
        let lifecycle = ConnectionLifecycle::of_socket();
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            slot: ConnectionSlot::new(protocol),
            state: WithCell::new(FakeConnectionState { lifecycle, wire: FakeWire::new() }),
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
    /// Resumes a panic of the protocol, once the state is in order.
    pub(super) fn run(&self) {
        let Some(me) = self.me.upgrade() else { return };
        if self.running.replace(true) {
            return;
        }
        let _running = RoundsGuard(&self.running);
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

    /// Changes the state, and drops the data that are left over after the borrow.
    pub(super) fn change<R>(
        &self,
        change: impl FnOnce(&mut FakeConnectionState, &mut Spent) -> R,
    ) -> R {
        let mut spent = Spent::new();
        let result = self.state.with(|state| change(state, &mut spent));
        drop(spent);
        result
    }

    /// Drops the protocol, which breaks a reference cycle that it may be part of.
    pub(super) fn retire(&self) {
        drop(self.slot.retire());
        self.give_up();
    }

    /// Ends all events and closes the connection.
    fn give_up(&self) {
        self.change(|state, spent| {
            spent.extend(state.lifecycle.on_given_up());
            state.meet(spent);
        });
    }

    /// Does everything that needs no protocol, and takes the next event that is due.
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

impl FakeConnectionState {
    pub(super) fn meet(&mut self, spent: &mut Spent) {
        self.wire.meet(&mut self.lifecycle, spent);
    }
}

/// Ends the rounds when it is dropped, even if a callback panicked.
struct RoundsGuard<'a>(&'a Cell<bool>);

impl Drop for RoundsGuard<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
