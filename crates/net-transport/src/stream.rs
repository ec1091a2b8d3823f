//! The stream transport: a connection, or the program's own stdin and stdout, driven by its
//! descriptors.
//!
//! # Model
//!
//! A [`Stream`] is the handler of its one or two sources. An event changes the state under a short
//! borrow, which queues what is to be told; then, with nothing borrowed, the protocol is told
//! ([`Stream::pump`]). Calls of the program do the first half only, and ask for a flush, which does
//! the second: no method calls a protocol.

mod control;
mod state;

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::resume_unwind;
use std::rc::{Rc, Weak};

use procession_core::WithCell;
use procession_protocol::{Address, Protocol, Transport};
use procession_reactor::pipe::{Direction, Pipe, READ_AGAIN_BYTES, READ_BUDGET_BYTES, ReadEvent};
use procession_reactor::{Enrolled, EventHandler, Handle, OnStop, Ready};

use self::state::{Event, Leftovers, Next, State};
use crate::slot::{Last, Slot};

/// The token of the source that is read; of a socket also the one that is written.
const INPUT: u32 = 0;
/// The token of an output apart.
const OUTPUT: u32 = 1;

/// What a stream is made of.
pub(crate) enum Ends {
    Socket(OwnedFd),
    /// `restore` are made blocking again at the end.
    Pair {
        input: OwnedFd,
        output: OwnedFd,
        restore: Vec<OwnedFd>,
    },
}

/// One connection, for the loop and behind its [`Transport`] handles.
pub(crate) struct Stream {
    me: Weak<Self>,
    reactor: Handle,
    slot: Slot,
    peer: Address,
    host: Address,
    /// In the reactor's list of what is to be flushed.
    flush_queued: Cell<bool>,
    /// A read is due without an event.
    read_queued: Cell<bool>,
    /// Callbacks are being made further up the stack.
    pumping: Cell<bool>,
    state: WithCell<State>,
    /// In the list of what is closed when the reactor stops.
    _enrolled: Enrolled,
}

impl Stream {
    /// Gives the descriptors, which are nonblocking, to the loop; calls nobody.
    pub(crate) fn open(
        reactor: &Handle,
        ends: Ends,
        peer: Address,
        host: Address,
        protocol: Box<dyn Protocol>,
    ) -> io::Result<Rc<Self>> {
        let stream = Rc::new_cyclic(|me: &Weak<Self>| Self {
            me: me.clone(),
            reactor: reactor.clone(),
            slot: Slot::new(protocol),
            peer,
            host,
            flush_queued: Cell::new(false),
            read_queued: Cell::new(false),
            pumping: Cell::new(false),
            state: WithCell::new(State::default()),
            _enrolled: reactor.enrol(me.clone()),
        });
        match ends {
            Ends::Socket(fd) => {
                let pipe = Pipe::open(reactor, fd, Direction::Both, stream.clone(), INPUT)?;
                stream.state.with(|state| state.set_socket(pipe));
            }
            Ends::Pair { input, output, restore } => {
                stream.state.with(|state| state.set_restore(restore));
                let opened = stream.open_pair(input, output);
                if let Err(error) = opened {
                    drop(stream.state.with(|state| state.give_up(reactor)));
                    return Err(error);
                }
            }
        }
        Ok(stream)
    }

    fn open_pair(self: &Rc<Self>, input: OwnedFd, output: OwnedFd) -> io::Result<()> {
        let input = Pipe::open(&self.reactor, input, Direction::Read, self.clone(), INPUT)?;
        self.state.with(|state| state.set_input(input));
        let output = Pipe::open(&self.reactor, output, Direction::Write, self.clone(), OUTPUT)?;
        self.state.with(|state| state.set_output(output));
        Ok(())
    }

    /// The connection stands: the first callback, and no other, for this may be called from
    /// outside of the loop. What it does asks for a flush, which tells the rest.
    pub(crate) fn made(&self) {
        self.state.with(|state| state.push(Event::Made));
        self.pump_up_to(1);
        self.read_if_always_ready();
    }

    pub(crate) fn transport(&self) -> Transport {
        let me = self.me.upgrade().expect("a method of it is running");
        Transport::from_control(me)
    }

    /// Asks the loop for [`EventHandler::flush`] at the end of the running callback.
    fn queue_flush(&self) {
        if !self.flush_queued.replace(true)
            && let Some(me) = self.me.upgrade()
        {
            self.reactor.flush_later(me);
        }
    }

    /// Reads in the next turn: no event will say so.
    fn queue_read(&self) {
        if self.read_queued.replace(true) {
            return;
        }
        let me = self.me.clone();
        self.reactor.call_soon(move |_| {
            let Some(me) = me.upgrade() else { return };
            me.read_queued.set(false);
            me.read();
            me.pump();
        });
    }

    fn read_if_always_ready(&self) {
        if self.state.with(|state| state.reads_without_events()) {
            self.queue_read();
        }
    }

    /// Tells the protocol all that is due.
    fn pump(&self) {
        self.pump_up_to(usize::MAX);
    }

    /// Tells the protocol what is due, with nothing borrowed.
    ///
    /// After a panic the connection is closed before the panic goes on, and the protocol, which is
    /// dropped by then, gets no further call.
    fn pump_up_to(&self, events: usize) {
        if self.pumping.replace(true) {
            return;
        }
        let transport = self.transport();
        for _ in 0..events {
            let event = self.state.with(State::poll_event);
            let Some(event) = event else { break };
            let last = if matches!(event, Event::Lost(_)) { Last::Yes } else { Last::No };
            let called = self.slot.call(last, |protocol| tell(protocol, &transport, event));
            if let Err(panic) = called {
                let left = self.state.with(|state| state.give_up(&self.reactor));
                drop(left);
                self.pumping.set(false);
                resume_unwind(panic);
            }
        }
        self.pumping.set(false);
    }

    /// Reads until there is nothing more, the share of the turn is used up, or nobody wants more.
    fn read(&self) {
        let mut budget = READ_BUDGET_BYTES;
        loop {
            let event = self.state.with(|state| state.read(&self.reactor));
            let (bytes, next) = match event {
                None => return,
                Some(ReadEvent::Data(data)) => {
                    let bytes = data.len();
                    let next = self.state.with(|state| state.on_data(data));
                    self.pump();
                    (bytes, next)
                }
                Some(event) => {
                    let left = self.state.with(|state| state.on_read_over(&self.reactor, event));
                    drop(left);
                    return;
                }
            };
            budget = budget.saturating_sub(bytes);
            match next {
                Next::Event if bytes < READ_AGAIN_BYTES || budget == 0 => return,
                Next::Now if budget == 0 => return self.queue_read(),
                Next::Event | Next::Now => {}
            }
        }
    }

    fn act(&self, left: Leftovers) {
        let read = left.read;
        drop(left);
        if read {
            self.read();
        }
    }
}

fn tell(protocol: &mut dyn Protocol, transport: &Transport, event: Event) {
    match event {
        Event::Made => protocol.connection_made(transport),
        Event::Data(data) => protocol.data_received(transport, data),
        Event::ReadClosed => protocol.read_closed(transport),
        Event::Full => protocol.write_buffer_full(transport),
        Event::Drained => protocol.write_buffer_drained(transport),
        Event::Lost(reason) => protocol.connection_lost(transport, reason),
    }
}

impl OnStop for Stream {
    fn on_stop(self: Rc<Self>) {
        let left = self.state.with(|state| state.stop(&self.reactor));
        self.queue_flush(); // the loss is due
        drop(left);
    }
}

impl EventHandler for Stream {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        let left = self.state.with(|state| state.on_ready(reactor, ready.token, ready.readiness));
        self.act(left);
        self.pump();
    }

    fn flush(self: Rc<Self>, reactor: &Handle) {
        self.flush_queued.set(false);
        let left = self.state.with(|state| state.flush(reactor));
        self.act(left);
        self.pump();
    }

    fn reactor_dropped(self: Rc<Self>) {
        let left = self.state.with(|state| state.give_up(&self.reactor));
        drop(left);
        drop(self.slot.retire());
    }
}
