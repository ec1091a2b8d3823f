//! What is known of one connection. Every method is a short change under the stream's borrow: no
//! callback, and what may run foreign code when dropped is handed out as [`Leftovers`].

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;

use bytes::Bytes;
use procession_core::{Mark, Spent, WriteError, WriteQueue};
use procession_reactor::pipe::{FlushOutcome, Pipe, READ_BUDGET_BYTES, ReadEvent};
use procession_reactor::{Handle, Readiness};
use rustix::net::{Shutdown, shutdown, sockopt};

use super::OUTPUT;
use crate::socket;
use crate::stopped::stopped;

/// What the protocol is told.
pub(super) enum Event {
    Made,
    Data(Bytes),
    ReadClosed,
    Full,
    Drained,
    Lost(io::Result<()>),
}

/// One connection's state.
#[derive(Default)]
pub(super) struct State {
    /// What is read; a socket is written here too. `None` once it is closed.
    input: Option<Pipe>,
    /// What is written, where that is another descriptor. `None` once it is closed.
    output: Option<Pipe>,
    /// One descriptor for both directions.
    is_socket: bool,
    /// The end was asked for, after the flush; nothing is read any more.
    closing: bool,
    /// The end of the writing was asked for.
    shutting_down: bool,
    /// Writing failed; what the peer has sent by then is still read, then this is the reason.
    failed: Option<io::Error>,
    /// The peer takes nothing any more, of which no further event will tell; what it has sent by
    /// then is still read, and the end of that is the end of the connection.
    peer_gone: bool,
    /// `Lost` was queued, or the protocol is gone: nothing is open and nothing is queued after it.
    lost: bool,
    events: VecDeque<Event>,
    /// Made blocking again at the end.
    restore: Vec<OwnedFd>,
}

/// What is to be dropped, and done, where nothing is borrowed.
#[derive(Default)]
#[must_use]
pub(super) struct Leftovers {
    chunks: Spent,
    /// What nobody will be told; may hold data.
    _events: VecDeque<Event>,
    /// A read is due.
    pub(super) read: bool,
}

impl Leftovers {
    fn of(chunks: Spent) -> Self {
        Self { chunks, ..Self::default() }
    }
}

/// Who says when to read again.
#[derive(Clone, Copy)]
pub(super) enum Next {
    /// The poller does, should there be more than was read.
    Event,
    /// Nobody: one reads until there is nothing more.
    Now,
}

impl State {
    pub(super) fn set_socket(&mut self, pipe: Pipe) {
        self.is_socket = true;
        self.input = Some(pipe);
    }

    pub(super) fn set_input(&mut self, pipe: Pipe) {
        self.input = Some(pipe);
    }

    pub(super) fn set_output(&mut self, pipe: Pipe) {
        self.output = Some(pipe);
    }

    pub(super) fn set_restore(&mut self, restore: Vec<OwnedFd>) {
        self.restore = restore;
    }

    pub(super) fn push(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn reader(&mut self) -> Option<&mut Pipe> {
        self.input.as_mut().filter(|pipe| pipe.is_reading())
    }

    fn writer(&mut self) -> Option<&mut Pipe> {
        let pipe = if self.is_socket { &mut self.input } else { &mut self.output };
        pipe.as_mut().filter(|pipe| pipe.is_writing())
    }

    /// Tells whether reading is due although no event will come.
    pub(super) fn reads_without_events(&mut self) -> bool {
        let failed = self.failed.is_some();
        !self.closing
            && self
                .reader()
                .is_some_and(|pipe| (failed || pipe.is_always_ready()) && !pipe.is_paused())
    }

    pub(super) fn read(&mut self, reactor: &Handle) -> Option<ReadEvent> {
        if self.closing {
            return None;
        }
        let pipe = self.reader()?;
        (!pipe.is_paused()).then(|| pipe.read(reactor))
    }

    /// To be told, and whether to go on reading.
    pub(super) fn on_data(&mut self, data: Bytes) -> Next {
        self.events.push_back(Event::Data(data));
        if self.reads_without_events() { Next::Now } else { Next::Event }
    }

    /// A read gave no data.
    pub(super) fn on_read_over(&mut self, reactor: &Handle, event: ReadEvent) -> Leftovers {
        match (event, self.failed.take()) {
            (ReadEvent::WouldBlock, None) => Leftovers::default(),
            (_, Some(error)) | (ReadEvent::Lost(error), None) => self.lose(reactor, Err(error)),
            (_, None) => self.on_end(reactor),
        }
    }

    /// The peer sends no more.
    fn on_end(&mut self, reactor: &Handle) -> Leftovers {
        if self.writer().is_none() {
            return self.lose(reactor, Ok(()));
        }
        if self.peer_gone {
            let reason = self.input.as_ref().map_or(Ok(()), |pipe| pending_error(reactor, pipe));
            if reason.is_ok() {
                // As for a peer whose end comes before its hang-up.
                self.events.push_back(Event::ReadClosed);
            }
            return self.lose(reactor, reason);
        }
        self.events.push_back(Event::ReadClosed);
        if self.is_socket {
            if let Some(pipe) = &mut self.input {
                pipe.end_reading(reactor);
            }
            return Leftovers::default();
        }
        Leftovers::of(self.input.take().map_or_else(Spent::new, |pipe| pipe.close(reactor)))
    }

    /// Sorts out what the poller saw of one source.
    pub(super) fn on_ready(&mut self, reactor: &Handle, token: u32, seen: Readiness) -> Leftovers {
        let pipe = if token == OUTPUT { &mut self.output } else { &mut self.input };
        let Some(pipe) = pipe else { return Leftovers::default() };
        let ready = pipe.on_ready(reactor, seen);
        // A reader, also a paused one, learns it by its reads, after what was sent before.
        self.peer_gone |= ready.peer_gone;
        let gone = ready.peer_gone && !pipe.is_reading();
        if gone {
            let reason = if self.is_socket { pending_error(reactor, pipe) } else { broken() };
            return self.lose(reactor, reason);
        }
        let mut left = if ready.unblocked { self.flush(reactor) } else { Leftovers::default() };
        left.read |= ready.readable;
        left
    }

    /// Writes what is queued, and closes what is to be closed.
    pub(super) fn flush(&mut self, reactor: &Handle) -> Leftovers {
        if self.closing
            && let Some(pipe) = self.reader()
        {
            pipe.pause(reactor);
        }
        let Some(pipe) = self.writer() else {
            if self.closing {
                self.discard_input(reactor);
                let reason = self.failed.take().map_or(Ok(()), Err);
                return self.lose(reactor, reason);
            }
            return Leftovers { read: self.failed.is_some(), ..Leftovers::default() };
        };
        let flushed = pipe.flush(reactor);
        let mut left = Leftovers::of(flushed.spent);
        while let Some(mark) = self.writer().and_then(Pipe::queue).and_then(WriteQueue::poll_mark) {
            match mark {
                Mark::Full => self.events.push_back(Event::Full),
                Mark::Drained => self.events.push_back(Event::Drained),
                // An emptied queue has no callback.
                _ => {}
            }
        }
        match flushed.outcome {
            FlushOutcome::Lost(error) => self.on_write_failed(reactor, error, &mut left),
            FlushOutcome::Done if self.closing => {
                self.discard_input(reactor);
                let lost = self.lose(reactor, Ok(()));
                left.chunks.extend(lost.chunks);
            }
            FlushOutcome::Done if self.shutting_down => self.end_writing(reactor, &mut left),
            _ => {}
        }
        left.read |= self.failed.is_some();
        left
    }

    /// Nothing more can be written: what the peer has sent by now is delivered, then the loss.
    fn on_write_failed(&mut self, reactor: &Handle, error: io::Error, left: &mut Leftovers) {
        if self.is_socket
            && !self.closing
            && let Some(pipe) = self.reader()
        {
            left.chunks.extend(pipe.end_writing(reactor));
            self.failed = Some(error);
            return;
        }
        let lost = self.lose(reactor, Err(error));
        left.chunks.extend(lost.chunks);
    }

    /// The queue that was to be the last is written.
    fn end_writing(&mut self, reactor: &Handle, left: &mut Leftovers) {
        let Some(pipe) = self.writer() else { return };
        // Not connected any more, or no socket: there is nobody to be told.
        reactor.with_fd(pipe.key(), |fd| shutdown(fd, Shutdown::Write)).map(Result::ok);
        left.chunks.extend(pipe.end_writing(reactor));
        if let Some(output) = self.output.take() {
            left.chunks.extend(output.close(reactor));
        }
        if self.reader().is_none() {
            let lost = self.lose(reactor, Ok(()));
            left.chunks.extend(lost.chunks);
        }
    }

    /// Reads what has arrived, for nobody: the kernel resets a connection that is closed with
    /// unread data, and the peer then loses what was just written to it.
    fn discard_input(&mut self, reactor: &Handle) {
        if !self.is_socket {
            return;
        }
        let Some(pipe) = self.reader() else { return };
        let mut budget = READ_BUDGET_BYTES;
        while budget > 0 {
            let ReadEvent::Data(data) = pipe.read(reactor) else { return };
            budget = budget.saturating_sub(data.len());
        }
    }

    /// Closes everything; the loss is due.
    fn lose(&mut self, reactor: &Handle, reason: io::Result<()>) -> Leftovers {
        if std::mem::replace(&mut self.lost, true) {
            return Leftovers::default();
        }
        self.events.push_back(Event::Lost(reason));
        Leftovers::of(self.close(reactor))
    }

    fn close(&mut self, reactor: &Handle) -> Spent {
        let mut chunks = Spent::new();
        for pipe in [self.input.take(), self.output.take()].into_iter().flatten() {
            chunks.extend(pipe.close(reactor));
        }
        for fd in self.restore.drain(..) {
            // It was changed by the same call, which succeeded.
            rustix::io::ioctl_fionbio(&fd, false).ok();
        }
        chunks
    }

    /// Closes everything at once; nothing that was due is told, but the loss.
    pub(super) fn abort(&mut self, reactor: &Handle) -> Leftovers {
        if self.lost {
            return Leftovers::default();
        }
        if self.is_socket
            && let Some(pipe) = &self.input
        {
            reactor.with_fd(pipe.key(), socket::reset_on_close);
        }
        let events = std::mem::take(&mut self.events);
        let aborted = io::Error::new(ErrorKind::ConnectionAborted, "aborted by this side");
        Leftovers { _events: events, ..self.lose(reactor, Err(aborted)) }
    }

    /// The loop stops: what the kernel takes now is written, then everything is closed. What the
    /// peer has sent and nobody has read is told nobody.
    pub(super) fn stop(&mut self, reactor: &Handle) -> Leftovers {
        let mut left = self.flush(reactor);
        self.discard_input(reactor);
        let reason = self.failed.take().unwrap_or_else(stopped);
        let lost = self.lose(reactor, Err(reason));
        left.chunks.extend(lost.chunks);
        left
    }

    /// Closes everything; nothing is told any more.
    pub(super) fn give_up(&mut self, reactor: &Handle) -> Leftovers {
        self.lost = true;
        let events = std::mem::take(&mut self.events);
        Leftovers { _events: events, ..Leftovers::of(self.close(reactor)) }
    }

    /// Hands the socket out, blocking again, once everything is written.
    pub(super) fn take_fd(&mut self, reactor: &Handle) -> (io::Result<OwnedFd>, Leftovers) {
        if self.lost {
            return (Err(ErrorKind::NotConnected.into()), Leftovers::default());
        }
        if !self.is_socket {
            return (Err(ErrorKind::Unsupported.into()), Leftovers::default());
        }
        let mut left = self.flush(reactor);
        if self.failed.is_some() {
            return (Err(ErrorKind::NotConnected.into()), left);
        }
        let pending = self.writer().and_then(Pipe::queue).is_some_and(|queue| !queue.is_empty());
        if pending {
            let error = "what was written has not been sent yet";
            return (Err(io::Error::new(ErrorKind::WouldBlock, error)), left);
        }
        let Some(key) = self.input.as_ref().map(Pipe::key) else {
            return (Err(ErrorKind::NotConnected.into()), left);
        };
        let blocking = reactor.with_fd(key, |fd| rustix::io::ioctl_fionbio(fd, false));
        if let Some(Err(error)) = blocking {
            return (Err(error.into()), left);
        }
        let fd = reactor.take_fd(key).ok_or_else(|| ErrorKind::NotConnected.into());
        let given_up = self.give_up(reactor);
        left.chunks.extend(given_up.chunks);
        left._events = given_up._events;
        (fd, left)
    }

    /// Queues data; what is not taken stays in `data`, to be dropped where nothing is borrowed.
    pub(super) fn write(&mut self, data: &mut Bytes) -> Result<(), WriteError> {
        self.queue()?.on_write_from(data)
    }

    pub(super) fn queue(&mut self) -> Result<&mut WriteQueue, WriteError> {
        self.writer().and_then(Pipe::queue).ok_or(WriteError::Closed)
    }

    /// Asks for the end after the flush; false if that was done.
    pub(super) fn ask_close(&mut self) -> bool {
        if self.lost || std::mem::replace(&mut self.closing, true) {
            return false;
        }
        if let Ok(queue) = self.queue() {
            queue.on_close();
        }
        true
    }

    /// Asks for the end of the writing after the flush; false if that was done.
    pub(super) fn ask_shutdown(&mut self) -> bool {
        let Ok(queue) = self.queue() else { return false };
        queue.on_close();
        !std::mem::replace(&mut self.shutting_down, true)
    }

    pub(super) fn pause(&mut self, reactor: &Handle) {
        if let Some(pipe) = self.reader() {
            pipe.pause(reactor);
        }
    }

    /// True if reading is due without an event.
    pub(super) fn resume(&mut self, reactor: &Handle) -> bool {
        if self.closing {
            return false;
        }
        if let Some(pipe) = self.reader() {
            // The poller has no memory for it: it stays paused, and can be resumed again.
            pipe.resume(reactor).ok();
        }
        self.reads_without_events()
    }
}

/// What the kernel says of a connection that is gone in both directions.
fn pending_error(reactor: &Handle, pipe: &Pipe) -> io::Result<()> {
    match reactor.with_fd(pipe.key(), |fd| sockopt::socket_error(fd)) {
        Some(Ok(Err(error))) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Nobody reads a pipe any more.
fn broken() -> io::Result<()> {
    Err(ErrorKind::BrokenPipe.into())
}
