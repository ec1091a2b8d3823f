//! Runs a forwarding: carries out the steps of its `Flow` on the two ports.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use bytes::Bytes;
use procession_core::driver::WithCell;
use rustix::io::Errno;

use super::flow::{Flow, FlowAct, FlowOutcome};
use super::splice::splice;
use crate::handle::Handle;
use crate::pipe::ReadEvent;
use crate::store::sources::Key;

/// The side of a forwarding that is read.
///
/// The methods of a port call neither the program nor the forwarding.
///
/// From [`begin`](Self::begin) to [`close_source`](Self::close_source) the port reads nothing on
/// its own. It reports to the forwarding: [`source_ready`](Forward::source_ready),
/// [`source_closed`](Forward::source_closed), [`set_paused`](Forward::set_paused).
pub trait SourcePort {
    /// Returns the descriptor's key. `None` once the descriptor is closed.
    fn key(&self) -> Option<Key>;

    /// Notes that `bytes` were moved at once without the reads and flushes of its pipe:
    /// [`Pipe::on_moved`](crate::driver::Pipe::on_moved).
    fn on_moved(&self, bytes: usize) {
        let _ = bytes;
    }

    /// Keeps the forwarding, and returns whether the source is paused.
    fn begin(&self, forward: &Rc<Forward>) -> bool;

    /// Reads once, paused or not.
    fn read(&self) -> ReadEvent;

    /// Has the poller watch the source for data, or stop watching it.
    fn watch(&self, watched: bool);

    /// Called when the source was read to its end: its other side is closed.
    fn on_read_to_end(&self) {}

    /// Called when a read failed. Returns the error for the result of the forwarding. Returns
    /// `None` if the source ends this way normally: a child that has left some input unread resets
    /// its socketpair.
    fn on_read_failed(&self, error: io::Error) -> Option<io::Error> {
        drop(error);
        None
    }

    /// Called when the forwarding is over. Releases the forwarding. Ends the direction if the
    /// source has `ended`, otherwise closes the source.
    fn close_source(&self, ended: bool);
}

/// The side of a forwarding that is written.
///
/// From [`feed`](Self::feed) to [`finish`](Self::finish) the port reports to the forwarding:
/// [`sink_ready`](Forward::sink_ready), [`sink_lost`](Forward::sink_lost).
pub trait SinkPort {
    /// Returns the descriptor's key. `None` once the descriptor is closed.
    fn key(&self) -> Option<Key>;

    /// Notes that `bytes` were moved at once without the reads and flushes of its pipe:
    /// [`Pipe::on_moved`](crate::driver::Pipe::on_moved).
    fn on_moved(&self, bytes: usize) {
        let _ = bytes;
    }

    /// Keeps the forwarding.
    ///
    /// # Errors
    ///
    /// Fails if the sink cannot be written to, or another forwarding feeds it.
    fn feed(&self, forward: &Rc<Forward>) -> io::Result<()>;

    /// Takes data, to write them as soon as there is room. Data that are not taken stay in `data`.
    ///
    /// # Errors
    ///
    /// Fails if the sink does not take the data, or has failed.
    fn write(&self, data: &mut Bytes) -> io::Result<()>;

    /// Returns the number of bytes that wait for room.
    fn queued(&self) -> usize;

    /// Has the poller report when there is room. Returns false if the sink never blocks, so no
    /// event will arrive.
    fn wait_for_room(&self) -> bool;

    /// Called when the forwarding is over. Releases the forwarding, and ends the direction after
    /// the queued data.
    fn finish(&self);
}

impl dyn SinkPort {
    /// Wraps the port for code that passes it between transports and does not know this crate.
    pub fn into_any(self: Rc<Self>) -> Box<dyn Any> {
        Box::new(self)
    }

    /// Returns the port that `into_any` wrapped. `None` for any other value.
    pub fn from_any(port: Box<dyn Any>) -> Option<Rc<Self>> {
        Some(*port.downcast().ok()?)
    }
}

/// Called with the number of bytes moved and the result.
type OnDone = Box<dyn FnOnce(u64, io::Result<()>)>;

/// A transfer of bytes from one port to another, without looking at them. Both ports keep it and
/// report to it.
///
/// The two ports do not know each other. The forwarding reads a [`SourcePort`] and writes a
/// [`SinkPort`]. It moves the data of the source, by `splice(2)` if the kernel can and by copies
/// otherwise, up to a share of the turn. While the sink is full, the source is not in the poller.
/// When the source ends, the forwarding writes the copies that still wait, then releases both
/// ports. When the sink is lost, it closes the source.
///
/// A transport makes ports of its open descriptors, and reports their events to the forwarding.
/// `<dyn SinkPort>::of_fd` makes a port of a descriptor without a transport.
///
/// The page of [`driver`](crate::driver) has an example.
pub struct Forward {
    reactor: Handle,
    source: Rc<dyn SourcePort>,
    sink: Rc<dyn SinkPort>,
    flow: WithCell<Flow>,
    /// Whether the source was last asked to be watched.
    watched: Cell<bool>,
    done: WithCell<Option<OnDone>>,
    /// See [`complete_later`](Self::complete_later).
    later: Cell<bool>,
}

impl Forward {
    /// Begins to move the data of `source`, which must be open and not forwarded elsewhere.
    ///
    /// `done` is called once, with nothing borrowed, after both sides were released. It receives
    /// the number of bytes that the sink has taken. It receives an error if the forwarding ended
    /// before its source: `BrokenPipe` if nobody reads the sink any more, or the error of the
    /// source's reads. `done` is dropped uncalled if the reactor is dropped first.
    ///
    /// # Errors
    ///
    /// Those of [`SinkPort::feed`]. Then nothing has begun, and `done` is dropped.
    pub fn start(
        reactor: &Handle,
        source: Rc<dyn SourcePort>,
        sink: Rc<dyn SinkPort>,
        done: impl FnOnce(u64, io::Result<()>) + 'static,
    ) -> io::Result<()> {
        let forward = Rc::new(Self {
            reactor: reactor.clone(),
            source,
            sink,
            flow: WithCell::new(Flow::new()),
            watched: Cell::new(true),
            done: WithCell::new(Some(Box::new(done))),
            later: Cell::new(false),
        });
        forward.sink.feed(&forward)?;
        let paused = forward.source.begin(&forward);
        forward.watched.set(!paused);
        forward.flow.with(|flow| flow.on_paused(paused));
        Ok(())
    }

    /// Reports that the source is readable.
    pub fn source_ready(&self) {
        self.run(Flow::on_source_ready);
    }

    /// Reports that other code closed the source. Copies that wait are still written.
    pub fn source_closed(&self) {
        self.run(Flow::on_source_closed);
    }

    /// Reports that the program paused or resumed the source.
    pub fn set_paused(&self, paused: bool) {
        let watched = self.flow.with(|flow| {
            flow.on_paused(paused);
            flow.wants_source()
        });
        if let Some(watched) = watched {
            // Even without a change: the poller may have lacked memory the last time.
            self.watched.set(watched);
            self.source.watch(watched);
        }
    }

    /// Has the source closed after `held` more bytes, which it holds at this moment.
    pub fn drain(&self, held: usize) {
        if self.flow.with(|flow| flow.on_drain(held)) {
            return self.source.on_read_to_end();
        }
        self.run(|_| {});
    }

    /// Reports that the sink has room again, or that its queue is empty.
    pub fn sink_ready(&self) {
        self.run(Flow::on_sink_ready);
    }

    /// Reports that the sink failed, with `unsent` bytes in its queue. Nobody takes the source's
    /// data any more.
    pub fn sink_lost(&self, error: io::Error, unsent: usize) {
        self.run(|flow| flow.on_sink_lost(error, unsent));
    }

    /// Reports that the loop stops and the source is about to be closed. The data that the source
    /// still holds are lost, and the result says so.
    pub fn cut_off(&self) {
        self.flow.with(Flow::on_cut_off);
    }

    /// Prepares for a call by the program that may end the forwarding. From now on the loop calls
    /// `done`, never that call itself.
    pub fn complete_later(&self) {
        self.later.set(true);
    }

    /// Drops `done` uncalled, because the reactor is being dropped.
    pub fn abandon(&self) {
        let done = self.done.with(Option::take);
        drop(done);
    }

    /// Reports a fact to the flow, and carries out the steps that follow.
    fn run(&self, fact: impl FnOnce(&mut Flow)) {
        self.flow.with(fact);
        loop {
            let queued = self.sink.queued();
            match self.flow.with(|flow| flow.poll(queued)) {
                FlowAct::Rest => break,
                FlowAct::Splice(most) => self.splice(most),
                FlowAct::Copy => self.copy(),
                FlowAct::CheckEnded => {
                    let key = self.source.key();
                    let ended = key.is_some_and(|key| self.reactor.io().has_ended(key));
                    self.flow.with(|flow| flow.on_seen_ended(ended));
                }
                FlowAct::CheckReadable => {
                    let key = self.source.key();
                    let readable = key.is_some_and(|key| self.reactor.io().is_readable(key));
                    self.flow.with(|flow| flow.on_seen_readable(readable));
                }
                FlowAct::WaitForRoom => {
                    if !self.sink.wait_for_room() {
                        self.flow.with(Flow::on_always_room);
                    }
                }
                FlowAct::Finish(outcome) => return self.finish(outcome),
            }
        }
        if let Some(watched) = self.flow.with(|flow| flow.wants_source())
            && self.watched.replace(watched) != watched
        {
            self.source.watch(watched);
        }
    }

    fn splice(&self, most: usize) {
        match self.with_fds(|source, sink| splice(source, sink, most)) {
            None => self.flow.with(|flow| flow.on_failed(ErrorKind::NotConnected.into())),
            // A terminal that has hung up fails with EIO. That is its end.
            Some(Ok(0) | Err(Errno::IO)) => self.source_ended(),
            Some(Ok(bytes)) => self.moved(bytes),
            Some(Err(Errno::AGAIN)) => self.flow.with(Flow::on_would_block),
            Some(Err(Errno::INVAL | Errno::NOSYS | Errno::PERM)) => {
                self.flow.with(Flow::on_refused);
            }
            // Only a sink fails with EPIPE.
            Some(Err(error @ Errno::PIPE)) => self.flow.with(|flow| flow.on_failed(error.into())),
            Some(Err(error)) => self.flow.with(|flow| flow.on_unsure(error.into())),
        }
    }

    fn copy(&self) {
        let mut data = match self.source.read() {
            ReadEvent::Data(data) => data,
            ReadEvent::WouldBlock => return self.flow.with(Flow::on_would_block),
            ReadEvent::Lost(error) => return self.source_failed(error),
            _ => return self.source_ended(),
        };
        let bytes = data.len();
        let taken = self.sink.write(&mut data);
        if data.is_empty() {
            self.moved(bytes);
        }
        if let Err(error) = taken {
            self.flow.with(|flow| flow.on_failed(error));
        }
    }

    /// Counts moved bytes. Both pipes may grow. A source that is read by copying counts its own
    /// reads.
    fn moved(&self, bytes: usize) {
        let copying = self.flow.with(|flow| {
            flow.on_moved(bytes);
            flow.is_copying()
        });
        if !copying {
            self.source.on_moved(bytes);
        }
        self.sink.on_moved(bytes);
    }

    fn source_ended(&self) {
        if let Some(error) = self.flow.with(Flow::take_unsure) {
            return self.source_failed(error);
        }
        self.source.on_read_to_end();
        self.flow.with(Flow::on_source_ended);
    }

    fn source_failed(&self, error: io::Error) {
        match self.source.on_read_failed(error) {
            Some(error) => self.flow.with(|flow| flow.on_source_failed(error)),
            None => self.source_ended(),
        }
    }

    fn with_fds<R>(&self, call: impl FnOnce(BorrowedFd<'_>, BorrowedFd<'_>) -> R) -> Option<R> {
        let source = self.source.key()?;
        let sink = self.sink.key()?;
        let io = self.reactor.io();
        io.with_fd(source, |source| io.with_fd(sink, |sink| call(source, sink))).flatten()
    }

    /// Releases both sides, and calls `done`.
    fn finish(&self, outcome: FlowOutcome) {
        let done = self.done.with(Option::take);
        self.source.close_source(outcome.ended);
        self.sink.finish();
        let Some(done) = done else { return };
        let FlowOutcome { moved, result, .. } = outcome;
        if self.later.get() {
            self.reactor.call_soon(move |_| done(moved, result));
        } else {
            done(moved, result);
        }
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward").field("flow", &self.flow).finish_non_exhaustive()
    }
}
