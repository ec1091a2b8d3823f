//! The parent's end of one of the child's descriptors.
//!
//! Once it is closed nothing is read, written or watched. One that is forwarded is read by its
//! forwarding alone. The master of a terminal is closed by hanging up, and by nothing else.

use super::leftovers::{Leftovers, Told};
use super::passed::Draining;
use crate::launch::ParentEnd;
use bytes::Bytes;
use procession_core::WriteError;
use procession_core::driver::WriteQueue;
use procession_protocol::ChildFd;
use procession_protocol::driver::Lifecycle;
use procession_reactor::forward::Forward;
use procession_reactor::pipe::{Direction, FlushOutcome, Pipe, ReadEvent};
use procession_reactor::{Handle, Key, Readiness};
use std::rc::Rc;

/// One end, open or closed.
pub(crate) struct End {
    fd: ChildFd,
    pub(super) direction: Direction,
    pub(super) is_terminal: bool,
    pub(super) closing: Closing,
    /// The poller saw that nobody reads what is written.
    peer_gone: bool,
    /// What it reads is moved on instead of being told.
    forward: Option<Rc<Forward>>,
    /// What it writes comes from there.
    fed_by: Option<Rc<Forward>>,
    pub(super) draining: Draining,
    /// `None` once it is closed.
    pub(super) pipe: Option<Pipe>,
}

/// What the program asked for, to be done after the queue is written: see [`super::closing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    No,
    /// Of the parent's direction of a socketpair.
    Shutdown,
    /// Of all of it, when its producer is done: it is read until then.
    AfterProducer,
    /// Of all of it; nothing is read any more.
    Close,
}

/// What an event means.
pub(crate) enum SeenOfEnd {
    Nothing,
    /// It can be read, and nothing else is due.
    Readable,
    More {
        read: bool,
        flush: bool,
        /// Nothing is left to learn of it.
        close: bool,
    },
}

/// What is left of an end whose child writes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterRead {
    Nothing,
    /// A direction that the parent writes.
    Writing,
}

impl End {
    pub(super) fn new(fd: ChildFd, direction: Direction, is_terminal: bool, pipe: Pipe) -> Self {
        Self {
            fd,
            direction,
            is_terminal,
            closing: Closing::No,
            peer_gone: false,
            forward: None,
            fed_by: None,
            draining: Draining::default(),
            pipe: Some(pipe),
        }
    }

    #[inline]
    pub(crate) fn fd(&self) -> ChildFd {
        self.fd
    }

    pub(super) fn direction(&self) -> Direction {
        self.direction
    }

    /// Returns where the loop has it, while it is open.
    pub(crate) fn key(&self) -> Option<Key> {
        self.pipe.as_ref().map(Pipe::key)
    }

    /// Takes it out of the loop, if it is open.
    pub(super) fn take(&mut self, reactor: &Handle) -> Option<ParentEnd> {
        let end = self.pipe.take()?.into_fd(reactor)?;
        Some(ParentEnd { fd: self.fd, end, direction: self.direction })
    }

    /// Closes it now.
    pub(crate) fn close(&mut self, reactor: &Handle, left: &mut Leftovers) {
        let unsent = self.queue().map_or(0, |queue| queue.len());
        self.draining = Draining::default();
        left.tell(self.forward.take().map(Told::SourceClosed));
        left.tell(self.fed_by.take().map(|forward| Told::SinkLost(forward, unsent)));
        if let Some(pipe) = self.pipe.take() {
            left.take(pipe.close(reactor));
        }
    }
}

/// Reading.
impl End {
    /// Sorts out what the poller saw.
    #[inline]
    pub(crate) fn on_ready(&mut self, reactor: &Handle, seen: Readiness) -> SeenOfEnd {
        let Some(pipe) = &mut self.pipe else { return SeenOfEnd::Nothing };
        let ready = pipe.on_ready(reactor, seen);
        self.peer_gone |= ready.peer_gone;
        // A socketpair tells by its reads; of a pipe there is nothing left to learn.
        let close = ready.peer_gone && !pipe.is_reading();
        if close || ready.unblocked || self.forward.is_some() {
            return SeenOfEnd::More { read: ready.readable, flush: ready.unblocked, close };
        }
        if ready.readable { SeenOfEnd::Readable } else { SeenOfEnd::Nothing }
    }

    /// Reads once, of what is left of the turn's budget; `None` if it is paused, closed, about to be
    /// closed, or forwarded.
    #[inline]
    pub(crate) fn read(&mut self, reactor: &Handle, budget: usize) -> Option<ReadEvent> {
        let pipe = self.pipe.as_mut()?;
        if self.closing == Closing::Close || pipe.is_paused() || self.forward.is_some() {
            return None;
        }
        Some(pipe.read_within(reactor, budget))
    }

    /// The child writes no more; `None` if the end was closed before.
    pub(crate) fn on_read_end(
        &mut self,
        reactor: &Handle,
        left: &mut Leftovers,
    ) -> Option<AfterRead> {
        let pipe = self.pipe.as_mut()?;
        if self.is_terminal || !pipe.is_writing() || self.peer_gone {
            return Some(AfterRead::Nothing);
        }
        pipe.end_reading(reactor);
        left.tell(self.forward.take().map(Told::SourceClosed));
        Some(AfterRead::Writing)
    }

    /// Returns whether something may still be read, paused or not.
    pub(crate) fn is_reading(&self) -> bool {
        self.pipe.as_ref().is_some_and(Pipe::is_reading)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.pipe.as_ref().is_some_and(Pipe::is_paused)
    }

    /// Takes it out of the poller; a forwarding pauses by itself.
    pub(crate) fn pause(&mut self, reactor: &Handle) {
        if let Some(pipe) = self.pipe.as_mut().filter(|_| self.forward.is_none()) {
            pipe.pause(reactor);
        }
    }

    /// Reads on; a forwarding resumes by itself.
    pub(crate) fn resume(&mut self, reactor: &Handle) {
        if let Some(pipe) = self.pipe.as_mut().filter(|_| self.forward.is_none()) {
            // The poller has no memory for it: the end stays paused, and can be resumed again.
            pipe.resume(reactor).ok();
        }
    }
}

/// Writing.
impl End {
    /// Returns the queue, while something can be written.
    #[inline]
    pub(crate) fn queue(&mut self) -> Option<&mut WriteQueue> {
        self.pipe.as_mut().and_then(Pipe::queue)
    }

    /// Queues data. What is not taken stays in `data`, to be dropped where nothing is borrowed.
    #[inline]
    pub(crate) fn write(&mut self, data: &mut Bytes) -> Result<(), WriteError> {
        self.queue().ok_or(WriteError::Closed)?.on_write_from(data)
    }

    /// Writes what is queued, and does what was asked for after it; true if the end is to be closed.
    #[inline]
    pub(crate) fn flush(
        &mut self,
        reactor: &Handle,
        lifecycle: &mut Lifecycle,
        left: &mut Leftovers,
    ) -> bool {
        let closing = self.closing == Closing::Close;
        if self.direction == Direction::Read {
            return closing && self.pipe.is_some();
        }
        let Some(pipe) = self.pipe.as_mut() else { return false };
        let outcome = pipe.flush_into(reactor, &mut left.chunks);
        if let Some(queue) = pipe.queue() {
            while let Some(mark) = queue.poll_mark() {
                lifecycle.on_mark(self.fd, mark);
            }
        }
        // Nearly always there is nothing left to do.
        let is_open = matches!(self.closing, Closing::No | Closing::Shutdown);
        if matches!(outcome, FlushOutcome::Idle) && is_open && self.fed_by.is_none() {
            return false;
        }
        self.flushed(reactor, outcome, left)
    }

    /// Acts on what became of a flush; true if the end is to be closed.
    fn flushed(&mut self, reactor: &Handle, outcome: FlushOutcome, left: &mut Leftovers) -> bool {
        let closing = self.closing == Closing::Close || self.is_producer_done();
        let hang_up = self.is_terminal && closing;
        let Some(pipe) = self.pipe.as_mut() else { return false };
        if !pipe.is_writing() {
            return closing;
        }
        let close = match outcome {
            // What the child wrote before it closed its end is still to be read.
            FlushOutcome::Lost(_) if pipe.is_reading() => {
                self.peer_gone = true;
                self.end_writing(reactor, left);
                closing || self.is_producer_done()
            }
            FlushOutcome::Lost(_) => true,
            FlushOutcome::Done => closing,
            FlushOutcome::Blocked => {
                if closing && pipe.is_reading() && !hang_up {
                    // It is closed for what the child writes; left in the poller that would wake the
                    // loop for as long as the queue waits.
                    pipe.end_reading(reactor);
                }
                hang_up
            }
            _ => {
                left.tell(self.fed_by.clone().map(Told::SinkReady));
                hang_up
            }
        };
        let is_done = self.queue().is_some_and(|queue| queue.is_done());
        if !close && self.closing == Closing::Shutdown && is_done {
            self.shut_down(reactor);
            self.end_writing(reactor, left);
            return !self.is_reading();
        }
        close
    }

    /// The poller is asked for the moment at which there is room, for a forwarding.
    pub(crate) fn wait_for_room(&mut self, reactor: &Handle) {
        // Without memory in the poller the forwarding stands still until the source ends.
        self.pipe.as_mut().map(|pipe| pipe.wait_for_room(reactor).ok());
    }

    /// Nothing more is written, and nothing that is queued; what the child writes is read to its end.
    /// False if the child writes nothing here.
    pub(crate) fn throw_away(&mut self, reactor: &Handle, left: &mut Leftovers) -> bool {
        let Some(pipe) = self.pipe.as_mut().filter(|pipe| pipe.is_reading()) else { return false };
        if self.is_terminal {
            left.chunks.extend(pipe.queue().map(WriteQueue::on_abort).into_iter().flatten());
        } else if pipe.is_writing() {
            self.shut_down(reactor);
            if let Some(pipe) = &mut self.pipe {
                left.chunks.extend(pipe.end_writing(reactor));
            }
        }
        match self.forward.clone() {
            // What it moves is none of the protocol's business.
            Some(forward) => left.tell(Some(Told::Unpause(forward))),
            // On failure the child blocks, and dies with its reader.
            None => self.resume(reactor),
        }
        true
    }

    fn end_writing(&mut self, reactor: &Handle, left: &mut Leftovers) {
        let unsent = self.queue().map_or(0, |queue| queue.len());
        left.tell(self.fed_by.take().map(|forward| Told::SinkLost(forward, unsent)));
        if let Some(pipe) = &mut self.pipe {
            left.take(pipe.end_writing(reactor));
        }
    }

    /// Tells the child that no more is coming on a socketpair.
    fn shut_down(&self, reactor: &Handle) {
        let how = rustix::net::Shutdown::Write;
        // Not connected any more is as good.
        self.key().and_then(|key| reactor.with_fd(key, |fd| rustix::net::shutdown(fd, how).ok()));
    }
}

/// Forwarding.
impl End {
    /// Returns why what the child writes cannot be moved on, if it cannot.
    pub(crate) fn forward_refusal(&self) -> Option<&'static str> {
        if self.direction == Direction::Write {
            Some("the parent only writes it")
        } else if self.forward.is_some() {
            Some("it is forwarded already")
        } else if self.closing == Closing::Close || !self.is_reading() {
            Some("it is closed")
        } else {
            None
        }
    }

    pub(crate) fn forward(&self) -> Option<&Rc<Forward>> {
        self.forward.as_ref()
    }

    pub(crate) fn set_forward(&mut self, forward: Rc<Forward>) {
        self.forward = Some(forward);
    }

    pub(crate) fn take_forward(&mut self) -> Option<Rc<Forward>> {
        self.forward.take()
    }

    /// Makes it the sink of a forwarding.
    pub(crate) fn feed(&mut self, forward: &Rc<Forward>) -> Result<(), WriteError> {
        let is_writing = self.pipe.as_ref().is_some_and(Pipe::is_writing);
        if self.closing == Closing::Close || !is_writing {
            return Err(WriteError::Closed);
        }
        if self.fed_by.is_some() {
            return Err(WriteError::NotWritable);
        }
        self.fed_by = Some(Rc::clone(forward));
        Ok(())
    }

    /// Returns whether a forwarding writes it.
    pub(crate) fn is_fed(&mut self) -> bool {
        self.fed_by.is_some()
    }

    /// The forwarding into it is over.
    pub(crate) fn feed_ends(&mut self) -> Option<Rc<Forward>> {
        self.fed_by.take()
    }

    /// One read for a forwarding, paused or not.
    pub(crate) fn read_any(&mut self, reactor: &Handle) -> Option<ReadEvent> {
        Some(self.pipe.as_mut()?.read(reactor))
    }

    /// So many bytes have passed at once and past its reads and flushes.
    pub(crate) fn on_moved(&mut self, reactor: &Handle, bytes: usize) {
        if let Some(pipe) = &mut self.pipe {
            pipe.on_moved(reactor, bytes);
        }
    }

    /// Watches it for a forwarding, or leaves it alone.
    pub(crate) fn watch(&mut self, reactor: &Handle, watched: bool) {
        match &mut self.pipe {
            // As in `wait_for_room`.
            Some(pipe) if watched => drop(pipe.resume(reactor)),
            Some(pipe) => pipe.pause(reactor),
            None => {}
        }
    }
}
