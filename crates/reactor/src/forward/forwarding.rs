//! The forwarding itself: it does what its core says, to the two ports that it was given.

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
/// No method of a port calls the program back, nor the forwarding.
///
/// From [`begin`](Self::begin) to [`close_source`](Self::close_source) it reads nothing itself, and
/// tells the forwarding what happens to it: [`source_ready`](Forward::source_ready),
/// [`source_closed`](Forward::source_closed), [`set_paused`](Forward::set_paused).
pub trait SourcePort {
    /// Returns the descriptor's key; `None` once it is closed.
    fn key(&self) -> Option<Key>;

    /// Notes that so many bytes were moved at once past the reads and flushes of its pipe:
    /// [`Pipe::on_moved`](crate::driver::Pipe::on_moved).
    fn on_moved(&self, bytes: usize) {
        let _ = bytes;
    }

    /// Keeps the forwarding, and returns whether the source is paused.
    fn begin(&self, forward: &Rc<Forward>) -> bool;

    /// Reads once, paused or not.
    fn read(&self) -> ReadEvent;

    /// Has the poller watch it for something to read, or leave it alone.
    fn watch(&self, watched: bool);

    /// It was read to its end: nobody holds its other side.
    fn on_read_to_end(&self) {}

    /// A read failed. Returns the error for the result of the forwarding, unless this is just how the
    /// source comes to its end: a child that has left some input unread resets its socketpair.
    fn on_read_failed(&self, error: io::Error) -> Option<io::Error> {
        drop(error);
        None
    }

    /// The forwarding is over, and is let go of. The direction ends where the source has `ended`,
    /// else the source is closed.
    fn close_source(&self, ended: bool);
}

/// The side of a forwarding that is written.
///
/// From [`feed`](Self::feed) to [`finish`](Self::finish) it tells the forwarding what happens to it:
/// [`sink_ready`](Forward::sink_ready), [`sink_lost`](Forward::sink_lost).
pub trait SinkPort {
    /// Returns the descriptor's key; `None` once it is closed.
    fn key(&self) -> Option<Key>;

    /// Notes that so many bytes were moved at once past the reads and flushes of its pipe:
    /// [`Pipe::on_moved`](crate::driver::Pipe::on_moved).
    fn on_moved(&self, bytes: usize) {
        let _ = bytes;
    }

    /// Keeps the forwarding.
    ///
    /// # Errors
    ///
    /// The sink cannot be written to, or another forwarding feeds it.
    fn feed(&self, forward: &Rc<Forward>) -> io::Result<()>;

    /// Takes a copy, to be written as soon as there is room. What is not taken stays in `data`.
    ///
    /// # Errors
    ///
    /// It is not taken, or the sink has failed.
    fn write(&self, data: &mut Bytes) -> io::Result<()>;

    /// Returns the number of bytes that wait for room.
    fn queued(&self) -> usize;

    /// Has the poller tell of room; false if it never blocks, so that no event will come.
    fn wait_for_room(&self) -> bool;

    /// The forwarding is over, and is let go of: the direction ends after what is queued.
    fn finish(&self);
}

impl dyn SinkPort {
    /// Wraps the port for whoever hands it from transport to transport and does not know this crate.
    pub fn into_any(self: Rc<Self>) -> Box<dyn Any> {
        Box::new(self)
    }

    /// Returns the port that `into_any` has wrapped, if it is one.
    pub fn from_any(port: Box<dyn Any>) -> Option<Rc<Self>> {
        Some(*port.downcast().ok()?)
    }
}

/// Called with the number of bytes moved, and how it ended.
type OnDone = Box<dyn FnOnce(u64, io::Result<()>)>;

/// Bytes on their way from one port to another, without anybody looking at them: what the two ports
/// keep of it, and tell it.
///
/// It stands between two ports, which know nothing of each other: a [`SourcePort`] is read, a
/// [`SinkPort`] is written. It moves what the source has, by `splice(2)` where the kernel can and by
/// copies elsewhere, up to a share of the turn. While the sink is full the source is out of the
/// poller. At the end of the source both are let go of, copies that wait first; when the sink is lost,
/// the source is closed.
///
/// A transport makes ports of what it has open, and tells the forwarding what happens to them.
/// `<dyn SinkPort>::of_fd` makes one of a descriptor that has no transport.
///
/// The page of [`driver`](crate::driver) has an example.
pub struct Forward {
    reactor: Handle,
    source: Rc<dyn SourcePort>,
    sink: Rc<dyn SinkPort>,
    flow: WithCell<Flow>,
    /// As the source was told last.
    watched: Cell<bool>,
    done: WithCell<Option<OnDone>>,
    /// See [`complete_later`](Self::complete_later).
    later: Cell<bool>,
}

impl Forward {
    /// Begins to move what comes from `source`, which is open and forwarded by nobody else.
    ///
    /// `done` is called once, with nothing borrowed, when both sides were let go of, with the number of
    /// bytes that the sink has taken. It gets an error if the forwarding ended before its source did:
    /// `BrokenPipe` if nobody reads the sink any more, or what the source says of its reads. It is
    /// dropped uncalled if the reactor goes away before.
    ///
    /// # Errors
    ///
    /// Those of [`SinkPort::feed`]; nothing was begun, and `done` is dropped.
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

    /// The source is readable.
    pub fn source_ready(&self) {
        self.run(Flow::on_source_ready);
    }

    /// The source is closed by somebody else; copies of it that wait still go.
    pub fn source_closed(&self) {
        self.run(Flow::on_source_closed);
    }

    /// The program paused or resumed the source.
    pub fn set_paused(&self, paused: bool) {
        let watched = self.flow.with(|flow| {
            flow.on_paused(paused);
            flow.wants_source()
        });
        if let Some(watched) = watched {
            // Also if it is as it was: the poller may have lacked memory for it.
            self.watched.set(watched);
            self.source.watch(watched);
        }
    }

    /// The source is to be closed after so many bytes more, which it holds at this moment.
    pub fn drain(&self, held: usize) {
        if self.flow.with(|flow| flow.on_drain(held)) {
            return self.source.on_read_to_end();
        }
        self.run(|_| {});
    }

    /// The sink has room again, or has taken its queue.
    pub fn sink_ready(&self) {
        self.run(Flow::on_sink_ready);
    }

    /// The sink is gone, with so many bytes in its queue: nobody takes what the source gives.
    pub fn sink_lost(&self, error: io::Error, unsent: usize) {
        self.run(|flow| flow.on_sink_lost(error, unsent));
    }

    /// The loop stops, and the source is about to be closed: what it still holds is lost, and the
    /// result says so.
    pub fn cut_off(&self) {
        self.flow.with(Flow::on_cut_off);
    }

    /// A verb of the program's may end it: whoever waits for the result is called by the loop, not
    /// inside of the verb.
    pub fn complete_later(&self) {
        self.later.set(true);
    }

    /// The reactor goes away: drops what waits for the result, uncalled.
    pub fn abandon(&self) {
        let done = self.done.with(Option::take);
        drop(done);
    }

    /// Tells the core what happened, and does what it says.
    fn run(&self, fact: impl FnOnce(&mut Flow)) {
        self.flow.with(fact);
        loop {
            let queued = self.sink.queued();
            match self.flow.with(|flow| flow.poll(queued)) {
                FlowAct::Rest => break,
                FlowAct::Splice(most) => self.splice(most),
                FlowAct::Copy => self.copy(),
                FlowAct::SeeWhetherEnded => {
                    let key = self.source.key();
                    let ended = key.is_some_and(|key| self.reactor.io().has_ended(key));
                    self.flow.with(|flow| flow.on_seen_ended(ended));
                }
                FlowAct::SeeWhetherReadable => {
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
            // A terminal that has hung up says EIO: its end.
            Some(Ok(0) | Err(Errno::IO)) => self.source_ended(),
            Some(Ok(bytes)) => self.moved(bytes),
            Some(Err(Errno::AGAIN)) => self.flow.with(Flow::on_would_block),
            Some(Err(Errno::INVAL | Errno::NOSYS | Errno::PERM)) => {
                self.flow.with(Flow::on_refused);
            }
            // The one that only a sink has.
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

    /// Counts; both pipes may grow, of which a source that is read counts its reads itself.
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

    /// Lets go of both sides, and calls whoever waits for the result.
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
