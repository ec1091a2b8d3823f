//! The state of one connection: its lifecycle and its descriptors. Each method is a short change
//! under the stream's borrow. It calls no callback, and returns the values whose drop may run
//! foreign code. `sides` has what forwardings do to the state.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::Bytes;
use procession_core::WriteError;
use procession_core::driver::WriteQueue;
use procession_protocol::ConnectionEvent;
use procession_protocol::driver::{ConnectionLifecycle, DataNow, Demand};
use procession_reactor::Handle;
use procession_reactor::driver::{FlushOutcome, Forward, Pipe, PipeReady, ReadEvent, Ready};

use super::leftovers::Leftovers;
use super::pipes::Pipes;
use super::routes::Routes;
use crate::stopped::stopped;

/// One connection's state.
pub(super) struct StreamState {
    pub(super) lifecycle: ConnectionLifecycle,
    pub(super) pipes: Pipes,
    pub(super) routes: Routes,
}

/// The outcome of an event.
pub(super) enum EventOutcome {
    /// A read, if there was one.
    Read(Option<ReadEvent>),
    /// More than a read: pass it to [`StreamState::on_change`].
    Change(PipeReady),
}

impl StreamState {
    pub(super) fn new(lifecycle: ConnectionLifecycle) -> Self {
        Self { lifecycle, pipes: Pipes::default(), routes: Routes::default() }
    }

    pub(super) fn set_pipes(&mut self, pipes: Pipes) {
        if pipes.is_always_ready() {
            self.lifecycle.on_always_ready();
        }
        self.pipes = pipes;
    }

    #[inline]
    pub(super) fn has_event(&self) -> bool {
        self.lifecycle.has_event()
    }

    #[inline]
    pub(super) fn poll_event(&mut self) -> Option<ConnectionEvent> {
        self.lifecycle.poll_event()
    }

    #[inline]
    pub(super) fn reads_without_events(&self) -> bool {
        self.lifecycle.reads_without_events()
    }

    /// Reads once, within the rest of the turn's budget in bytes, and reports to the lifecycle.
    /// Returns `None` if nothing is to be read, or if the input is forwarded.
    #[inline]
    pub(super) fn read_once(&mut self, reactor: &Handle, budget: usize) -> Option<ReadEvent> {
        if self.routes.forward.is_some() { None } else { self.read(reactor, budget) }
    }

    /// Always inlined, because a return right after a system call is slow.
    #[inline(always)]
    fn read(&mut self, reactor: &Handle, budget: usize) -> Option<ReadEvent> {
        if !self.lifecycle.reads() {
            return None;
        }
        Some(match self.pipes.reader()?.read_within(reactor, budget) {
            ReadEvent::Data(data) if self.lifecycle.has_event() => self.on_data(data),
            // Data are due now, because nothing else is due.
            event => event,
        })
    }

    #[cold]
    fn on_data(&mut self, data: Bytes) -> ReadEvent {
        let bytes = data.len();
        match self.lifecycle.on_data_now(data) {
            DataNow::Due(data) => ReadEvent::Data(data),
            DataNow::Queued => ReadEvent::Queued(bytes),
            DataNow::Refused(refused) => ReadEvent::Refused(refused),
        }
    }

    /// Handles a read that gave no data.
    pub(super) fn on_read_over(&mut self, reactor: &Handle, event: ReadEvent) -> Leftovers {
        match event {
            ReadEvent::WouldBlock => self.lifecycle.on_nothing_to_read(),
            ReadEvent::Lost(error) => self.lifecycle.on_read_failed(error),
            _ => self.lifecycle.on_read_end(),
        }
        let mut left = Leftovers::default();
        self.meet_demands(reactor, &mut left);
        left
    }

    /// Handles what the poller saw of one source. If there is nothing else to do, reads once.
    #[inline]
    pub(super) fn on_ready(&mut self, reactor: &Handle, ready: Ready) -> EventOutcome {
        let seen = self.pipes.on_ready(reactor, ready.token, ready.readiness);
        if seen.peer_gone {
            self.lifecycle.on_peer_gone();
        }
        if seen.peer_gone || seen.unblocked || self.routes.forward.is_some() {
            return EventOutcome::Change(seen);
        }
        EventOutcome::Read(if seen.readable {
            self.read(reactor, Pipe::READ_BUDGET_BYTES)
        } else {
            None
        })
    }

    /// Handles an event that requires more than a read. Returns whether the input must then be read.
    #[cold]
    pub(super) fn on_change(
        &mut self,
        reactor: &Handle,
        seen: PipeReady,
        left: &mut Leftovers,
    ) -> bool {
        let read = if seen.unblocked {
            self.flush(reactor, left)
        } else {
            self.meet_demands(reactor, left);
            false
        };
        if seen.peer_gone {
            // The reads may find this out later, or never.
            left.sink_lost(self.routes.fed_by.take(), self.queued());
        }
        read || seen.readable
    }

    /// Writes the queue, and closes what is due to close. Returns whether the input must then be read.
    #[inline]
    pub(super) fn flush(&mut self, reactor: &Handle, left: &mut Leftovers) -> bool {
        let mut outcome = FlushOutcome::Done;
        if let Some(pipe) = self.pipes.writer() {
            outcome = pipe.flush(reactor, &mut left.spent);
            while let Some(mark) = pipe.queue().and_then(WriteQueue::poll_mark) {
                self.lifecycle.on_mark(mark);
            }
        }
        match outcome {
            FlushOutcome::Done => self.lifecycle.on_flush_done(),
            FlushOutcome::Blocked => self.lifecycle.on_flush_blocked(),
            FlushOutcome::Lost(error) => self.lifecycle.on_write_failed(error),
            _ => left.sink_ready(self.routes.fed_by.as_ref()),
        }
        self.meet_demands(reactor, left);
        self.lifecycle.has_failed()
    }

    /// Does to the descriptors what the lifecycle demands.
    #[inline]
    pub(super) fn meet_demands(&mut self, reactor: &Handle, left: &mut Leftovers) {
        while let Some(demand) = self.lifecycle.poll_demand() {
            self.meet(reactor, demand, left);
        }
    }

    #[cold]
    fn meet(&mut self, reactor: &Handle, demand: Demand, left: &mut Leftovers) {
        if matches!(demand, Demand::EndWriting | Demand::ShutDown | Demand::Close) {
            left.sink_lost(self.routes.fed_by.take(), self.queued());
        }
        let pipes = &mut self.pipes;
        match demand {
            Demand::StopReading => {
                if let Some(pipe) = pipes.reader() {
                    pipe.pause(reactor);
                }
            }
            Demand::EndReading => pipes.end_reading(reactor, &mut left.spent),
            Demand::EndWriting => {
                // The data that the peer has sent until now is still forwarded.
                left.drain(self.routes.forward.as_ref());
                pipes.end_writing(reactor, &mut left.spent);
            }
            Demand::ShutDown => pipes.shut_down(reactor, &mut left.spent),
            Demand::AskReason => self.lifecycle.on_gone(pipes.reason(reactor)),
            Demand::Discard => pipes.discard(reactor),
            Demand::Reset => pipes.reset_on_close(reactor),
            Demand::Close => {
                left.source_closed(self.routes.forward.take());
                left.spent.extend(pipes.close(reactor));
            }
            other => debug_assert!(false, "a demand that this transport does not know: {other:?}"),
        }
    }

    /// Closes everything at once. Pending data and events are dropped.
    pub(super) fn abort(&mut self, reactor: &Handle) -> Leftovers {
        let mut left = Leftovers::from(self.lifecycle.on_abort());
        self.meet_demands(reactor, &mut left);
        left
    }

    /// Handles a stop of the loop: writes what the kernel takes now, and closes everything.
    pub(super) fn stop(&mut self, reactor: &Handle) -> Leftovers {
        let mut left = Leftovers::default();
        self.flush(reactor, &mut left);
        self.routes.cut_off();
        self.lifecycle.on_stop(stopped());
        self.meet_demands(reactor, &mut left);
        left
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lifecycle.is_lost()
    }

    /// Closes everything. No more events follow.
    pub(super) fn give_up(&mut self, reactor: &Handle) -> Leftovers {
        let mut left = Leftovers::from(self.lifecycle.on_given_up());
        self.meet_demands(reactor, &mut left);
        left
    }

    /// Returns the socket, blocking again, if everything is written.
    pub(super) fn take_fd(&mut self, reactor: &Handle) -> (io::Result<OwnedFd>, Leftovers) {
        if self.lifecycle.is_lost() {
            return (Err(closed()), Leftovers::default());
        }
        if !self.pipes.is_socket() {
            let error = "only a socket can be taken out of the loop";
            return (Err(io::Error::new(ErrorKind::Unsupported, error)), Leftovers::default());
        }
        let mut left = Leftovers::default();
        self.flush(reactor, &mut left);
        if self.lifecycle.has_failed() {
            return (Err(closed()), left);
        }
        if self.pipes.queue().is_ok_and(|queue| !queue.is_empty()) {
            let error = "what was written has not been sent yet";
            return (Err(io::Error::new(ErrorKind::WouldBlock, error)), left);
        }
        if let Err(error) = self.pipes.make_blocking(reactor) {
            return (Err(error), left);
        }
        let fd = self.pipes.take_fd(reactor);
        left.spent.extend(self.lifecycle.on_given_up());
        self.meet_demands(reactor, &mut left);
        (fd.ok_or_else(closed), left)
    }

    /// Queues data. What is not taken stays in `data`, which the caller drops when nothing is
    /// borrowed.
    #[inline]
    pub(super) fn write(&mut self, data: &mut Bytes) -> Result<(), WriteError> {
        self.queue()?.on_write_from(data)
    }

    /// Returns how many bytes wait in the queue.
    pub(super) fn queued(&mut self) -> usize {
        self.queue().map_or(0, |queue| queue.len())
    }

    pub(super) fn queue(&mut self) -> Result<&mut WriteQueue, WriteError> {
        self.pipes.queue()
    }

    /// Asks to close after the flush. Returns whether a flush is due for that, and the forwarding
    /// that must learn that nothing is read any more.
    pub(super) fn ask_close(&mut self) -> (bool, Option<Rc<Forward>>) {
        let is_new = self.lifecycle.on_close_asked();
        if is_new {
            self.end_queue();
        }
        (is_new, self.over_forward())
    }

    /// Notes that a producer writes here, or is done. Returns the same as [`ask_close`](Self::ask_close).
    pub(super) fn hold_open(&mut self, held: bool) -> (bool, Option<Rc<Forward>>) {
        self.lifecycle.on_held(held);
        let Ok(queue) = self.queue() else { return (false, None) };
        queue.set_held(held);
        (!held && queue.is_closing(), self.over_forward())
    }

    /// Takes the forwarding of the input, if nothing is read any more.
    fn over_forward(&mut self) -> Option<Rc<Forward>> {
        self.routes.forward.take_if(|_| !self.lifecycle.accepts())
    }

    /// Asks to end the writing after the flush. Returns whether a flush is due for that.
    pub(super) fn ask_shutdown(&mut self) -> bool {
        self.lifecycle.on_shutdown_asked() && {
            self.end_queue();
            true
        }
    }

    fn end_queue(&mut self) {
        if let Ok(queue) = self.queue() {
            queue.on_close();
        }
    }

    /// Pauses the input. Returns the forwarding that must learn of it, if the input is forwarded.
    pub(super) fn pause(&mut self, reactor: &Handle) -> Option<Rc<Forward>> {
        self.lifecycle.on_paused();
        let forward = self.routes.forward.clone();
        if forward.is_none()
            && let Some(pipe) = self.pipes.reader()
        {
            pipe.pause(reactor);
        }
        forward
    }

    /// Resumes the input. Returns the forwarding that must learn of it, if the input is forwarded.
    pub(super) fn resume(&mut self, reactor: &Handle) -> Option<Rc<Forward>> {
        self.lifecycle.on_resumed();
        let forward = self.routes.forward.clone();
        if forward.is_none() && self.lifecycle.reads() {
            self.watch(reactor, true);
        }
        forward
    }

    pub(super) fn watch(&mut self, reactor: &Handle, watched: bool) {
        let Some(pipe) = self.pipes.reader() else { return };
        if watched {
            // If the poller has no memory for it, the input stays paused, and can be resumed later.
            pipe.resume(reactor).ok();
        } else {
            pipe.pause(reactor);
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(ErrorKind::NotConnected, "the connection is closed")
}
