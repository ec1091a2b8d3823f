//! The process transport: the lifecycle and write-queue cores, driven by descriptors.
//!
//! # Model
//!
//! A [`Transport`] is the handler of every source of one child: its parent's ends, told apart by
//! their child fd as token, and its exit. An event changes the state under a short borrow, which
//! tells the lifecycle; then, with nothing borrowed, the callbacks that the lifecycle says are due
//! are delivered ([`Transport::pump`]). Calls of the program do the first half only, and ask for a
//! flush, which does the second: no method calls a protocol.

mod control;
mod draining;
mod exit;
mod forward;
mod growth;
mod leftovers;
mod routes;
mod running;
mod sigchld;
mod sink;
mod state;
mod terminal;
mod terminate;
mod writing;

use crate::adopt_error::AdoptError;
use crate::launch::ParentEnd;
use crate::spawned::Spawned;
use bytes::Bytes;
use leftovers::Leftovers;
use procession_core::WithCell;
use procession_protocol::{ChildFd, Event, Process, ProcessProtocol, ProtocolSlot};
use procession_reactor::pipe::{OpenError, Pipe, READ_AGAIN_BYTES, READ_BUDGET_BYTES, ReadEvent};
use procession_reactor::{Enrolled, EventHandler, Handle, OnStop, Ready};
use state::{Read, Seen, State, Wants};
use std::any::Any;
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::{Rc, Weak};

/// The token of the exit; no child fd is that large.
const EXIT: u32 = u32::MAX;

/// One child, for the loop and behind its [`Process`] handles.
pub(crate) struct Transport {
    me: Weak<Self>,
    reactor: Handle,
    slot: ProtocolSlot,
    /// In the reactor's list of what is to be flushed.
    flush_queued: Cell<bool>,
    /// Callbacks are being delivered further up the stack.
    pumping: Cell<bool>,
    /// See [`State`].
    has_terminal: bool,
    state: WithCell<State>,
    /// In the list of those whose ends are closed when the reactor stops.
    _enrolled: Enrolled,
}

impl Transport {
    /// Gives the child's descriptors to the loop; on failure the child comes back as it was.
    pub(crate) fn register(
        reactor: &Handle,
        protocol: Box<dyn ProcessProtocol>,
        spawned: Spawned,
    ) -> Result<Rc<Self>, AdoptError> {
        if reactor.is_closed() {
            return Err(AdoptError::new(spawned, reactor_gone()));
        }
        let (state, ends) = State::new(spawned, reactor.now());
        let transport = Rc::new_cyclic(|me| Self {
            me: me.clone(),
            reactor: reactor.clone(),
            slot: ProtocolSlot::new(protocol),
            flush_queued: Cell::new(false),
            pumping: Cell::new(false),
            has_terminal: state.has_terminal,
            state: WithCell::new(state),
            _enrolled: reactor.enrol(me.clone()),
        });
        let mut failed = transport.watch_exit().err();
        let mut left = Vec::new();
        for end in ends {
            if failed.is_some() {
                left.push(end);
            } else if let Err((error, end)) = transport.add_end(end) {
                failed = Some(error);
                left.extend(end);
            }
        }
        if let Some(error) = failed {
            let spawned = transport.state.with(|state| state.give_back(reactor, left));
            drop(transport.slot.retire());
            return Err(AdoptError::new(spawned, error));
        }
        transport.state.with(State::keep_terminal);
        if running::is_alone() {
            // A program that has nothing to do, or cannot do it, is over at once.
            reactor.expect_soon();
        }
        Ok(transport)
    }

    fn add_end(self: &Rc<Self>, end: ParentEnd) -> Result<(), (io::Error, Option<ParentEnd>)> {
        let ParentEnd { fd, end, direction } = end;
        let token = fd.as_raw().cast_unsigned();
        let pipe = Pipe::open(&self.reactor, end, direction, self.clone(), token).map_err(
            |OpenError { error, fd: end, .. }| {
                (error, end.map(|end| ParentEnd { fd, end, direction }))
            },
        )?;
        self.state.with(|state| state.add_end(fd, direction, pipe));
        Ok(())
    }

    /// The program runs: the first callback, inside `spawn_process`, and the only one there. What it
    /// has closed is told by the loop.
    pub(crate) fn made(&self) {
        self.deliver(1);
        if !self.state.with(|state| state.lifecycle.is_idle()) {
            self.queue_flush();
        }
    }

    /// Asks the loop for [`EventHandler::flush`] at the end of the running callback.
    fn queue_flush(&self) {
        if !self.flush_queued.replace(true)
            && let Some(me) = self.me.upgrade()
        {
            self.reactor.flush_later(me);
        }
    }

    /// Delivers what is due, with nothing borrowed.
    ///
    /// After a panic the state is put in order before the panic goes on: the protocol gets no further
    /// call, its queues are dropped, its readers are drained, and its child is reaped.
    #[inline]
    fn pump(&self) {
        if self.state.with(|state| state.lifecycle.has_event()) {
            self.deliver(usize::MAX);
        }
    }

    fn deliver(&self, at_most: usize) {
        if self.pumping.get() {
            return;
        }
        let Some(mut event) = self.state.with(|state| state.lifecycle.poll_event()) else { return };
        self.pumping.set(true);
        let process = self.process();
        let mut left = at_most;
        loop {
            let delivered = if self.has_terminal {
                self.deliver_of_terminal(&process, event)
            } else {
                self.slot.try_deliver(&process, event)
            };
            if let Err(panic) = delivered {
                self.on_panicked(panic);
            }
            left -= 1;
            if left == 0 {
                break;
            }
            let next = self.state.with(|state| state.lifecycle.poll_event());
            let Some(next) = next else { break };
            event = next;
        }
        self.pumping.set(false);
    }

    /// Delivers data that are due before anything else. Only the loop reads: no callback is being
    /// delivered further up the stack.
    #[inline]
    fn tell(&self, fd: ChildFd, data: Bytes) {
        self.pumping.set(true);
        let told = self.slot.try_deliver_data(&self.process(), fd, data);
        if let Err(panic) = told {
            self.on_panicked(panic);
        }
        self.pumping.set(false);
    }

    /// Puts the state in order, and lets the panic go on.
    #[cold]
    fn on_panicked(&self, panic: Box<dyn Any + Send>) -> ! {
        let left = self.state.with(|state| state.on_panicked(&self.reactor));
        self.pumping.set(false);
        self.queue_flush();
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| left.settle())) {
            std::mem::forget(second); // the first is the cause, most likely
        }
        resume_unwind(panic);
    }

    /// If what follows panics (a callback of a `Deferred`, an owner of data), what is due by then is
    /// delivered by the next turn.
    fn pump_after_a_panic(&self) -> PumpAfterPanic<'_> {
        PumpAfterPanic(self)
    }

    /// Of a terminal, 0 to 2 are one: what concerns its input is told of 0, and no loss is told, but
    /// to the producer of the input.
    #[cold]
    fn deliver_of_terminal(&self, process: &Process, event: Event) -> std::thread::Result<()> {
        match event {
            Event::Lost(ChildFd::STDOUT) => self.slot.try_stop_producer(process, ChildFd::STDIN),
            Event::Lost(fd) | Event::ReadClosed(fd) if fd <= ChildFd::STDERR => Ok(()),
            Event::Mark(ChildFd::STDOUT, mark) => {
                self.slot.try_deliver(process, Event::Mark(ChildFd::STDIN, mark))
            }
            event => self.slot.try_deliver(process, event),
        }
    }

    fn process(&self) -> Process {
        let me = self.me.upgrade().expect("a method of it is running");
        Process::from_control(me)
    }

    /// Does what an event asks for, where it is more than a read.
    #[cold]
    fn do_all(&self, fd: ChildFd, wants: &Wants) {
        let mut left = Leftovers::default();
        if wants.close {
            self.state.with(|state| state.close(&self.reactor, fd, &mut left));
        }
        if wants.flush {
            self.flush_ends();
        }
        if wants.read {
            match self.state.with(|state| state.forward(fd)) {
                Some(forward) => forward.source_ready(),
                None => self.read(fd),
            }
        }
        left.settle();
    }

    /// Writes what is queued and closes what is to be closed.
    #[inline]
    fn flush_ends(&self) {
        let mut left = Leftovers::default();
        self.state.with(|state| state.flush(&self.reactor, &mut left));
        left.settle();
    }

    /// Reads one end until it has nothing more, has had its share of the turn, or is closed.
    fn read(&self, fd: ChildFd) {
        let read = self.state.with(|state| state.read(&self.reactor, fd, READ_BUDGET_BYTES));
        if let Some(read) = read {
            self.read_on(fd, read);
        }
    }

    /// The same, after the first read.
    fn read_on(&self, fd: ChildFd, first: Read) {
        let mut read = first;
        let mut budget = READ_BUDGET_BYTES;
        loop {
            let bytes = match read {
                Read::Data(data) => {
                    let bytes = data.len();
                    self.tell(fd, data);
                    bytes
                }
                Read::Queued(bytes) => bytes,
                // Nobody wants it any more.
                Read::Event(ReadEvent::Data(refused)) => refused.len(),
                Read::Event(event) => return self.on_read_over(fd, &event),
            };
            budget = budget.saturating_sub(bytes);
            if bytes < READ_AGAIN_BYTES || budget == 0 {
                return; // and what is due is delivered by the caller
            }
            self.pump();
            let next = self.state.with(|state| state.read(&self.reactor, fd, budget));
            let Some(next) = next else { return };
            read = next;
        }
    }

    /// A read gave no data.
    #[cold]
    fn on_read_over(&self, fd: ChildFd, event: &ReadEvent) {
        let mut left = Leftovers::default();
        self.state.with(|state| match event {
            ReadEvent::WouldBlock => {}
            ReadEvent::End => state.on_read_end(&self.reactor, fd, &mut left),
            _lost => state.close(&self.reactor, fd, &mut left),
        });
        left.settle();
    }
}

/// What the verbs say once the reactor is gone.
pub(crate) fn reactor_gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the reactor is gone")
}

/// See [`Transport::pump_after_a_panic`].
struct PumpAfterPanic<'a>(&'a Transport);

impl Drop for PumpAfterPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.queue_flush();
        }
    }
}

impl OnStop for Transport {
    /// What the kernel takes now is written, and every end is closed. The reason of the end says so,
    /// if something was still to come of one.
    fn on_stop(self: Rc<Self>) {
        let _pump = self.pump_after_a_panic();
        self.flush_ends();
        let left = self.state.with(|state| {
            let mut left = Leftovers::default();
            let is_read =
                state.ends.iter().filter_map(|end| end.pipe.as_ref()).any(Pipe::is_reading);
            // That a child which has ended left some of its input is no loss.
            if is_read || !state.lifecycle.is_reaped() {
                state.lifecycle.on_stop();
            }
            state.cut_forwards();
            for fd in state.fds() {
                state.close(&self.reactor, fd, &mut left);
            }
            left
        });
        self.queue_flush();
        left.settle();
    }
}

impl EventHandler for Transport {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        let _pump = self.pump_after_a_panic();
        if ready.token == EXIT {
            self.exit_ready();
        } else {
            let fd = ChildFd::from(ready.token.cast_signed());
            match self.state.with(|state| state.on_ready(reactor, fd, ready.readiness)) {
                Seen::Read(None) => {}
                // Nearly always.
                Seen::Read(Some(Read::Data(data))) if data.len() < READ_AGAIN_BYTES => {
                    self.tell(fd, data);
                }
                Seen::Read(Some(read)) => self.read_on(fd, read),
                Seen::More(wants) => self.do_all(fd, &wants),
            }
            if self.state.with(|state| state.seems_to_end()) && running::is_alone() {
                // A child that ends closes its descriptors one by one, and each would wake this
                // thread for itself. Let it come to its end: the rest is one wake-up.
                rustix::thread::sched_yield();
            }
        }
        self.pump();
    }

    fn flush(self: Rc<Self>, _: &Handle) {
        let _pump = self.pump_after_a_panic();
        self.flush_queued.set(false);
        self.flush_ends();
        if self.state.with(|state| state.lifecycle.is_reaped()) {
            self.drain();
        } else {
            self.pump();
        }
    }

    fn reactor_dropped(self: Rc<Self>) {
        let left = self.state.with(|state| state.on_reactor_dropped(&self.reactor));
        drop(left);
        drop(self.slot.retire());
    }
}
