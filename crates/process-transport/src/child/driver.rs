//! A child's transport: the loop's callbacks, and the interface for the reactor's driver.

use std::io;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use procession_core::driver::Direction;
use procession_core::{Deferred, NoError, Signal};
use procession_protocol::driver::{ProcessControl, ProtocolSlot};
use procession_protocol::{ChildFd, Event, Process, ProcessProtocol};
use procession_reactor::driver::{Driver, Machine, OpenError, Outlasting, Pipe, ReadEvent, Ready};
use procession_reactor::{Handle, Stopped};

use super::parts::{Leftovers, is_alone, reactor_gone};
use super::state::{ChildState, ReadyOutcome, ReadyWork, Remainder, StateCell};
use crate::adopt_error::AdoptError;
use crate::launch::ParentEnd;
use crate::spawned::Spawned;

/// The token of the exit. No child fd is that large.
pub(super) const EXIT: u32 = u32::MAX;

/// One child, as a handler of the loop and behind its [`Process`] handles.
pub(crate) struct ChildTransport {
    driver: Driver<Self>,
    pub(super) slot: ProtocolSlot,
    pub(super) state: StateCell,
}

impl ChildTransport {
    /// Gives the child's descriptors to the loop; on failure returns the child unchanged.
    pub(crate) fn register(
        reactor: &Handle,
        protocol: Box<dyn ProcessProtocol>,
        spawned: Spawned,
    ) -> Result<Rc<Self>, AdoptError> {
        if reactor.is_closed() {
            return Err(AdoptError::new(spawned, reactor_gone()));
        }
        let mut remainder = Remainder::default();
        let transport = Rc::new_cyclic(|me| Self {
            driver: Driver::new(reactor, me),
            slot: ProtocolSlot::new(protocol),
            state: StateCell::new(ChildState::new(spawned, reactor, &mut remainder)),
        });
        let Remainder { ends, taken, reaped } = remainder;
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
            let left = Remainder { ends: left, taken, reaped };
            let spawned = transport.state.with(|state| state.give_back(reactor, left));
            drop(transport.slot.retire());
            return Err(AdoptError::new(spawned, error));
        }
        if transport.state.with(|state| state.ends.on_registered()) {
            // Has the inputs watched that `connection_made` leaves open.
            transport.queue_flush();
        }
        if is_alone() {
            // A program that does nothing, or fails at once, ends within microseconds.
            reactor.io().expect_soon();
        }
        Ok(transport)
    }

    pub(super) fn reactor(&self) -> &Handle {
        self.driver.reactor()
    }

    pub(super) fn me(&self) -> &Weak<Self> {
        self.driver.me()
    }

    fn add_end(self: &Rc<Self>, mut end: ParentEnd) -> Result<(), (io::Error, Option<ParentEnd>)> {
        if let Err(error) = end.make_nonblocking() {
            return Err((error, Some(end)));
        }
        let ParentEnd { fd, end, direction, is_nonblocking } = end;
        let token = fd.as_raw().cast_unsigned();
        let opened = if direction == Direction::Write {
            Pipe::open_for_writing(self.reactor(), end, self.clone(), token)
        } else {
            Pipe::open(self.reactor(), end, direction, self.clone(), token)
        };
        let pipe = opened.map_err(|OpenError { error, fd: end, .. }| {
            (error, end.map(|end| ParentEnd { fd, end, direction, is_nonblocking }))
        })?;
        self.state.with(|state| state.add_end(fd, direction, pipe));
        Ok(())
    }

    /// Delivers an event of a child with a terminal, which serves descriptors 0 to 2. Input events
    /// are reported for 0. The loss of the terminal is reported once, for 1; before that, the
    /// producer of the input is stopped.
    #[cold]
    fn deliver_of_terminal(&self, process: &Process, event: Event) -> std::thread::Result<()> {
        match event {
            Event::Lost(ChildFd::STDOUT) => {
                self.slot.try_stop_producer(ChildFd::STDIN)?;
                self.slot.try_deliver(process, event)
            }
            Event::Lost(fd) | Event::ReadClosed(fd) if fd <= ChildFd::STDERR => Ok(()),
            Event::Mark(ChildFd::STDOUT, mark) => {
                self.slot.try_deliver(process, Event::Mark(ChildFd::STDIN, mark))
            }
            event => self.slot.try_deliver(process, event),
        }
    }

    /// Does what an event requires beyond a read.
    #[cold]
    fn do_all(&self, fd: ChildFd, wants: &ReadyWork) {
        let mut left = Leftovers::default();
        if wants.close {
            self.state.with(|state| state.close(self.reactor(), fd, &mut left));
        }
        if wants.flush {
            self.flush_ends();
        }
        if wants.read {
            let forward = self.state.with(|state| state.ends.get(fd)?.forward().cloned());
            match forward {
                Some(forward) => forward.source_ready(),
                None => self.read_on(fd),
            }
        }
        left.settle();
    }

    /// Writes what is queued, and closes what must be closed.
    #[inline]
    fn flush_ends(&self) {
        let mut left = Leftovers::default();
        self.state.with(|state| state.flush(self.reactor(), &mut left));
        left.settle();
    }
}

impl Machine for ChildTransport {
    type Source = ChildFd;
    type Event = Event;
    type Subject = Process;
    type Leftovers = Leftovers;

    #[inline]
    fn driver(&self) -> &Driver<Self> {
        &self.driver
    }

    #[inline]
    fn subject(me: Rc<Self>) -> Process {
        me.into_process()
    }

    #[inline]
    fn has_event(&self) -> bool {
        self.state.with(|state| state.lifecycle.has_event())
    }

    #[inline]
    fn poll_event(&self) -> Option<Event> {
        self.state.with(|state| state.lifecycle.poll_event())
    }

    #[inline]
    fn deliver(&self, process: &Process, event: Event) -> std::thread::Result<()> {
        if self.state.with(|state| state.ends.has_terminal()) {
            self.deliver_of_terminal(process, event)
        } else {
            self.slot.try_deliver(process, event)
        }
    }

    #[inline]
    fn deliver_data(&self, process: &Process, fd: ChildFd, data: Bytes) -> std::thread::Result<()> {
        self.slot.try_deliver_data(process, fd, data)
    }

    #[inline]
    fn on_ready(&self, ready: Ready) -> Option<(ChildFd, ReadEvent)> {
        if ready.token == EXIT {
            self.exit_ready();
            return None;
        }
        let fd = ChildFd::from(ready.token.cast_signed());
        let reactor = self.reactor();
        match self.state.with(|state| state.on_ready(reactor, fd, ready.readiness)) {
            ReadyOutcome::Read(read) => Some((fd, read?)),
            ReadyOutcome::More(wants) => {
                self.do_all(fd, &wants);
                None
            }
        }
    }

    #[inline]
    fn on_ready_done(&self) {
        if self.state.with(|state| state.seems_to_end()) && is_alone() {
            // It closes its descriptors one by one, and each close would wake this thread. After a yield, one
            // wake-up covers the rest. Other children would take the processor instead.
            self.reactor().io().yield_briefly();
        }
    }

    fn read_once(&self, fd: ChildFd, budget: usize) -> Option<ReadEvent> {
        self.state.with(|state| state.read(self.reactor(), fd, budget))
    }

    #[cold]
    fn on_read_over(&self, fd: ChildFd, event: ReadEvent) {
        let mut left = Leftovers::default();
        self.state.with(|state| match event {
            ReadEvent::WouldBlock => {}
            ReadEvent::End => state.on_read_end(self.reactor(), fd, &mut left),
            _lost => state.close(self.reactor(), fd, &mut left),
        });
        left.settle();
    }

    #[inline]
    fn on_flush(&self) {
        self.flush_ends();
        if self.state.with(|state| state.lifecycle.is_reaped()) {
            self.drain();
        }
    }

    #[cold]
    fn on_panicked(&self) -> Leftovers {
        self.state.with(|state| state.on_panicked(self.reactor()))
    }

    fn on_loop_stops(&self) -> Leftovers {
        self.flush_ends();
        if self.state.with(|state| state.is_left_to_end_with_program(self.reactor())) {
            let grace = self.state.with(|state| state.grace_at_the_end());
            self.terminate_with(Signal::TERM, grace).done(drop);
        }
        self.state.with(|state| state.on_loop_stops(self.reactor()))
    }

    fn end_owned(&self, why: Stopped) -> Option<Deferred<(), NoError>> {
        self.end_with_program(why)
    }

    fn on_loop_gone(&self) -> (Leftovers, Option<Box<dyn Outlasting>>) {
        let (left, last) = self.state.with(|state| state.on_reactor_dropped(self.reactor()));
        (left, last.map(|last| -> Box<dyn Outlasting> { Box::new(last) }))
    }

    fn retire(&self) {
        drop(self.slot.retire());
    }

    #[inline]
    fn settle(&self, left: Leftovers) {
        left.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::ChildTransport;

    // What few children need is boxed, because each of many children would pay for it.
    #[test]
    fn a_child_is_small() {
        assert!(size_of::<ChildTransport>() <= 336, "{} bytes", size_of::<ChildTransport>());
    }
}
