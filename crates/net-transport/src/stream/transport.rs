//! One connection, as the driver drives it.

use std::cell::Cell;
use std::io;
use std::rc::{Rc, Weak};
use std::thread;

use bytes::Bytes;
use procession_core::WriteError;
use procession_core::driver::WithCell;
use procession_protocol::driver::{ConnectionSlot, TransportControl};
use procession_protocol::{Address, ConnectionEvent, Protocol, Transport};
use procession_reactor::Handle;
use procession_reactor::driver::{Driver, Machine, Outlasting, ReadEvent, Ready};

use super::leftovers::Leftovers;
use super::pipes::{Pipes, StreamFds};
use super::state::{EventOutcome, StreamState};

/// One connection, shared by the loop and its [`Transport`] handles.
pub(crate) struct Stream {
    pub(super) driver: Driver<Self>,
    pub(super) slot: ConnectionSlot,
    pub(super) peer: Address,
    pub(super) host: Address,
    pub(super) state: WithCell<StreamState>,
    /// A call that reads without an event is queued.
    read_queued: Cell<bool>,
    /// The reactor was gone before the connection was lost.
    pub(super) is_cut_off: Cell<bool>,
}

impl Stream {
    /// Registers the nonblocking descriptors with the loop. It calls no callback.
    pub(crate) fn open(
        reactor: &Handle,
        ends: StreamFds,
        peer: Address,
        host: Address,
        protocol: Box<dyn Protocol>,
    ) -> io::Result<Rc<Self>> {
        let stream = Rc::new_cyclic(|me: &Weak<Self>| Self {
            driver: Driver::new(reactor, me),
            slot: ConnectionSlot::new(protocol),
            peer,
            host,
            state: WithCell::new(StreamState::new(ends.lifecycle())),
            read_queued: Cell::new(false),
            is_cut_off: Cell::new(false),
        });
        let pipes = Pipes::open(reactor, ends, &stream)?;
        stream.state.with(|state| state.set_pipes(pipes));
        Ok(stream)
    }

    /// Calls `connection_made`. It calls no other callback, because this may be called from outside
    /// the loop. The loop calls the others.
    pub(crate) fn made(&self) {
        Machine::made(self);
        if self.reads_without_events(()) {
            self.read_later(());
        }
    }

    pub(crate) fn transport(&self) -> Transport {
        Self::subject(self.driver.me().upgrade().expect("a method of it is running"))
    }

    /// Returns the error of a write. If the reactor closed the connection, the error says so.
    #[cold]
    pub(super) fn write_error(&self, error: WriteError) -> WriteError {
        match error {
            WriteError::Closed if self.is_cut_off.get() => WriteError::ReactorGone,
            error => error,
        }
    }

    /// Changes the state, settles what that leaves over, and reads the input if it must be read.
    #[inline]
    fn change(&self, change: impl FnOnce(&mut StreamState, &mut Leftovers) -> bool) {
        let mut left = Leftovers::default();
        let read = self.state.with(|state| change(state, &mut left));
        left.settle();
        if read {
            self.read_now();
        }
    }

    /// Reads until there is nothing left, or lets the forwarding read.
    #[cold]
    fn read_now(&self) {
        let Some(forward) = self.state.with(|state| state.forward()) else {
            return self.read_on(());
        };
        forward.source_ready();
        self.forward_later();
    }

    /// Queues a call that forwards the input, if no event will report it.
    pub(super) fn forward_later(&self) {
        if self.state.with(StreamState::forwards_without_events) {
            self.read_later(());
        }
    }
}

impl Machine for Stream {
    type Source = ();
    type Event = ConnectionEvent;
    type Subject = Transport;
    type Leftovers = Leftovers;

    #[inline]
    fn driver(&self) -> &Driver<Self> {
        &self.driver
    }

    #[inline]
    fn subject(me: Rc<Self>) -> Transport {
        me.into_transport()
    }

    #[inline]
    fn has_event(&self) -> bool {
        self.state.with(|state| state.has_event())
    }

    #[inline]
    fn poll_event(&self) -> Option<ConnectionEvent> {
        self.state.with(StreamState::poll_event)
    }

    #[inline]
    fn deliver(&self, transport: &Transport, event: ConnectionEvent) -> thread::Result<()> {
        self.slot.try_deliver(transport, event)
    }

    #[inline]
    fn deliver_data(&self, transport: &Transport, (): (), data: Bytes) -> thread::Result<()> {
        self.slot.try_deliver_data(transport, data)
    }

    #[inline]
    fn on_ready(&self, ready: Ready) -> Option<((), ReadEvent)> {
        let reactor = self.driver.reactor();
        match self.state.with(|state| state.on_ready(reactor, ready)) {
            EventOutcome::Read(read) => Some(((), read?)),
            EventOutcome::Change(seen) => {
                self.change(|state, left| state.on_change(reactor, seen, left));
                None
            }
        }
    }

    fn read_once(&self, (): (), budget: usize) -> Option<ReadEvent> {
        self.state.with(|state| state.read_once(self.driver.reactor(), budget))
    }

    #[cold]
    fn on_read_over(&self, (): (), event: ReadEvent) {
        self.state.with(|state| state.on_read_over(self.driver.reactor(), event)).settle();
    }

    #[inline]
    fn reads_without_events(&self, (): ()) -> bool {
        self.state.with(|state| state.reads_without_events())
    }

    /// Queues a separate call that reads.
    fn read_later(&self, (): ()) {
        if self.read_queued.replace(true) {
            return;
        }
        let me = self.driver.me().clone();
        self.driver.reactor().call_soon(move |_| {
            let Some(me) = me.upgrade() else { return };
            let _pump = me.pump_after_a_panic();
            me.read_queued.set(false);
            me.read_now();
            me.pump();
        });
    }

    fn on_flush(&self) {
        self.change(|state, left| state.flush(self.driver.reactor(), left));
    }

    #[cold]
    fn on_panicked(&self) -> Leftovers {
        self.state.with(|state| state.give_up(self.driver.reactor()))
    }

    fn on_loop_stops(&self) -> Leftovers {
        self.state.with(|state| state.stop(self.driver.reactor()))
    }

    fn on_loop_gone(&self) -> (Leftovers, Option<Box<dyn Outlasting>>) {
        self.is_cut_off.set(!self.state.with(|state| state.is_lost()));
        (self.state.with(|state| state.give_up(self.driver.reactor())), None)
    }

    fn retire(&self) {
        drop(self.slot.retire());
    }

    fn settle(&self, left: Leftovers) {
        left.settle();
    }
}
