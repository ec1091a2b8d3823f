//! The parent's end of one of the child's descriptors.
//!
//! A closed end is not read, written or watched. Only its forwarding reads a forwarded end. The
//! master of a terminal is closed only by a hang-up.

use std::rc::Rc;

use bytes::Bytes;
use procession_core::WriteError;
use procession_core::driver::{Direction, WriteQueue};
use procession_protocol::ChildFd;
use procession_protocol::driver::Lifecycle;
use procession_reactor::driver::{FlushOutcome, Forward, Key, Pipe, ReadEvent};
use procession_reactor::{Handle, Readiness};

use super::leftovers::{ForwardNotice, Leftovers};
use super::passed::Draining;
use crate::launch::ParentEnd;

/// One end, open or closed.
pub(crate) struct End {
    fd: ChildFd,
    pub(super) direction: Direction,
    pub(super) is_terminal: bool,
    pub(super) closing: CloseRequest,
    /// The poller saw that nobody reads what is written here.
    peer_gone: bool,
    /// `Some` once one of them was needed. Boxed, because few ends need any.
    pub(super) rare: Option<Box<RareParts>>,
    /// `None` once it is closed.
    pub(super) pipe: Option<Pipe>,
}

/// What few ends have.
#[derive(Debug, Default)]
pub(super) struct RareParts {
    /// The forwarding that moves what this end reads, instead of callbacks.
    forward: Option<Rc<Forward>>,
    /// The forwarding that feeds what this end writes.
    fed_by: Option<Rc<Forward>>,
    pub(super) draining: Draining,
}

/// The close that the program asked for, due after the queue is written: see [`super::closing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseRequest {
    No,
    /// Closes the parent's direction of a socketpair.
    Shutdown,
    /// Closes all of it once its producer is done; it is read until then.
    AfterProducer,
    /// Closes all of it; nothing is read any more.
    Close,
}

/// The meaning of an event.
pub(crate) enum EndReadiness {
    Nothing,
    /// It can be read, and nothing else is due.
    Readable,
    More {
        read: bool,
        flush: bool,
        /// The end has nothing more to report.
        close: bool,
    },
}

/// What is left of an end after the child has stopped writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterRead {
    Nothing,
    /// The direction that the parent writes.
    Writing,
}

impl End {
    pub(super) fn new(fd: ChildFd, direction: Direction, is_terminal: bool, pipe: Pipe) -> Self {
        Self {
            fd,
            direction,
            is_terminal,
            closing: CloseRequest::No,
            peer_gone: false,
            rare: None,
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

    /// Returns its key in the loop, while it is open.
    pub(crate) fn key(&self) -> Option<Key> {
        self.pipe.as_ref().map(Pipe::key)
    }

    /// Takes it out of the loop, if it is open.
    pub(super) fn take(&mut self, reactor: &Handle) -> Option<ParentEnd> {
        let end = self.pipe.take()?.into_fd(reactor)?;
        Some(ParentEnd { fd: self.fd, end, direction: self.direction, is_nonblocking: true })
    }

    /// Closes it now.
    pub(crate) fn close(&mut self, reactor: &Handle, left: &mut Leftovers) {
        let unsent = self.queue().map_or(0, |queue| queue.len());
        if let Some(rare) = &mut self.rare {
            rare.draining = Draining::default();
        }
        left.notify(self.take_forward().map(ForwardNotice::SourceClosed));
        left.notify(self.feed_ends().map(|forward| ForwardNotice::SinkLost(forward, unsent)));
        if let Some(pipe) = self.pipe.take() {
            left.take(pipe.close(reactor));
        }
    }
}

/// Reading.
impl End {
    /// Interprets what the poller saw.
    #[inline]
    pub(crate) fn on_ready(&mut self, reactor: &Handle, seen: Readiness) -> EndReadiness {
        let Some(pipe) = &mut self.pipe else { return EndReadiness::Nothing };
        let ready = pipe.on_ready(reactor, seen);
        self.peer_gone |= ready.peer_gone;
        // The reads of a socketpair will report the close; a pipe has nothing more to report.
        let close = ready.peer_gone && !pipe.is_reading();
        if close || ready.unblocked || self.forward().is_some() {
            return EndReadiness::More { read: ready.readable, flush: ready.unblocked, close };
        }
        if ready.readable { EndReadiness::Readable } else { EndReadiness::Nothing }
    }

    /// Reads once within the rest of the turn's budget; returns `None` if it is paused, closed,
    /// about to be closed, or forwarded.
    ///
    /// Always inlined, because a return right after a system call is slow.
    #[inline(always)]
    pub(crate) fn read(&mut self, reactor: &Handle, budget: usize) -> Option<ReadEvent> {
        if self.closing == CloseRequest::Close || self.forward().is_some() {
            return None;
        }
        let pipe = self.pipe.as_mut().filter(|pipe| !pipe.is_paused())?;
        Some(pipe.read_within(reactor, budget))
    }

    /// Handles the end of what the child writes; returns `None` if the end was closed before.
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
        left.notify(self.take_forward().map(ForwardNotice::SourceClosed));
        Some(AfterRead::Writing)
    }

    /// Returns whether more may be read, paused or not.
    pub(crate) fn is_reading(&self) -> bool {
        self.pipe.as_ref().is_some_and(Pipe::is_reading)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.pipe.as_ref().is_some_and(Pipe::is_paused)
    }

    /// Takes it out of the poller; a forwarding pauses itself.
    pub(crate) fn pause(&mut self, reactor: &Handle) {
        if self.forward().is_none()
            && let Some(pipe) = &mut self.pipe
        {
            pipe.pause(reactor);
        }
    }

    /// Reads on; a forwarding resumes itself.
    pub(crate) fn resume(&mut self, reactor: &Handle) {
        if self.forward().is_none()
            && let Some(pipe) = &mut self.pipe
        {
            // If the poller has no memory, the end stays paused and can be resumed again.
            pipe.resume(reactor).ok();
        }
    }
}

/// Writing.
impl End {
    /// Returns the queue, as long as it can be written.
    #[inline]
    pub(crate) fn queue(&mut self) -> Option<&mut WriteQueue> {
        self.pipe.as_mut().and_then(Pipe::queue)
    }

    /// Queues data. What the queue refuses stays in `data`, for a drop without a borrow.
    #[inline]
    pub(crate) fn write(&mut self, data: &mut Bytes) -> Result<(), WriteError> {
        self.queue().ok_or(WriteError::Closed)?.on_write_from(data)
    }

    /// Writes what is queued, then does what was asked for after it; returns whether the end must
    /// be closed.
    #[inline]
    pub(crate) fn flush(
        &mut self,
        reactor: &Handle,
        lifecycle: &mut Lifecycle,
        left: &mut Leftovers,
    ) -> bool {
        let closing = self.closing == CloseRequest::Close;
        if self.direction == Direction::Read {
            return closing && self.pipe.is_some();
        }
        let Some(pipe) = self.pipe.as_mut() else { return false };
        let outcome = pipe.flush(reactor, &mut left.chunks);
        if let Some(queue) = pipe.queue() {
            while let Some(mark) = queue.poll_mark() {
                lifecycle.on_mark(self.fd, mark);
            }
        }
        // Nearly always nothing else is left to do.
        let is_open = matches!(self.closing, CloseRequest::No | CloseRequest::Shutdown);
        if matches!(outcome, FlushOutcome::Idle) && is_open && !self.is_fed() {
            return false;
        }
        self.flushed(reactor, outcome, left)
    }

    /// Acts on the result of a flush; returns whether the end must be closed.
    fn flushed(&mut self, reactor: &Handle, outcome: FlushOutcome, left: &mut Leftovers) -> bool {
        let closing = self.closing == CloseRequest::Close || self.is_producer_done();
        let hang_up = self.is_terminal && closing;
        let Some(pipe) = self.pipe.as_mut() else { return false };
        if !pipe.is_writing() {
            return closing;
        }
        let close = match outcome {
            // What the child wrote before it closed its end can still be read.
            FlushOutcome::Lost(_) if pipe.is_reading() => {
                self.peer_gone = true;
                self.end_writing(reactor, left);
                closing || self.is_producer_done()
            }
            FlushOutcome::Lost(_) => true,
            FlushOutcome::Done => closing,
            FlushOutcome::Blocked => {
                if closing && pipe.is_reading() && !hang_up {
                    // The child's output is closed for the program. If it stayed in the poller, it
                    // would wake the loop as long as the queue waits.
                    pipe.end_reading(reactor);
                }
                hang_up
            }
            _ => {
                let fed_by = self.rare.as_ref().and_then(|rare| rare.fed_by.clone());
                left.notify(fed_by.map(ForwardNotice::SinkReady));
                hang_up
            }
        };
        let is_done = self.queue().is_some_and(|queue| queue.is_done());
        if !close && self.closing == CloseRequest::Shutdown && is_done {
            self.shut_down(reactor);
            self.end_writing(reactor, left);
            return !self.is_reading();
        }
        close
    }

    /// Makes the poller report when there is room, for a forwarding.
    pub(crate) fn wait_for_room(&mut self, reactor: &Handle) {
        // If the poller has no memory, the forwarding stands still until the source ends.
        self.pipe.as_mut().map(|pipe| pipe.wait_for_room(reactor).ok());
    }

    /// Discards the queue and writes nothing more; reads what the child writes to its end. Returns
    /// false if the child does not write here.
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
        match self.forward().cloned() {
            // A forwarding does not need the protocol, so it goes on.
            Some(forward) => left.notify(Some(ForwardNotice::Unpause(forward))),
            // If this fails, the child blocks, and dies when its reader does.
            None => self.resume(reactor),
        }
        true
    }

    fn end_writing(&mut self, reactor: &Handle, left: &mut Leftovers) {
        let unsent = self.queue().map_or(0, |queue| queue.len());
        left.notify(self.feed_ends().map(|forward| ForwardNotice::SinkLost(forward, unsent)));
        if let Some(pipe) = &mut self.pipe {
            left.take(pipe.end_writing(reactor));
        }
    }

    /// Tells the child that no more data comes on a socketpair.
    fn shut_down(&self, reactor: &Handle) {
        let how = rustix::net::Shutdown::Write;
        // A socket that is no longer connected needs no shutdown.
        self.key()
            .and_then(|key| reactor.io().with_owned(key, |fd| rustix::net::shutdown(fd, how).ok()));
    }
}

/// Forwarding.
impl End {
    /// Returns why this end cannot be forwarded, if it cannot.
    pub(crate) fn forward_refusal(&self) -> Option<&'static str> {
        if self.direction == Direction::Write {
            Some("the parent only writes it")
        } else if self.forward().is_some() {
            Some("it is forwarded already")
        } else if self.closing == CloseRequest::Close || !self.is_reading() {
            Some("it is closed")
        } else {
            None
        }
    }

    #[inline]
    pub(crate) fn forward(&self) -> Option<&Rc<Forward>> {
        self.rare.as_ref()?.forward.as_ref()
    }

    pub(crate) fn set_forward(&mut self, forward: Rc<Forward>) {
        self.rare.get_or_insert_default().forward = Some(forward);
    }

    pub(crate) fn take_forward(&mut self) -> Option<Rc<Forward>> {
        self.rare.as_mut()?.forward.take()
    }

    /// Makes it the sink of a forwarding.
    pub(crate) fn feed(&mut self, forward: &Rc<Forward>) -> Result<(), WriteError> {
        let is_writing = self.pipe.as_ref().is_some_and(Pipe::is_writing);
        if self.closing == CloseRequest::Close || !is_writing {
            return Err(WriteError::Closed);
        }
        if self.is_fed() {
            return Err(WriteError::NotWritable);
        }
        self.rare.get_or_insert_default().fed_by = Some(Rc::clone(forward));
        Ok(())
    }

    /// Returns whether a forwarding writes it.
    pub(crate) fn is_fed(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.fed_by.is_some())
    }

    /// Ends the forwarding into it.
    pub(crate) fn feed_ends(&mut self) -> Option<Rc<Forward>> {
        self.rare.as_mut()?.fed_by.take()
    }

    /// Reads once for a forwarding, paused or not.
    pub(crate) fn read_any(&mut self, reactor: &Handle) -> Option<ReadEvent> {
        Some(self.pipe.as_mut()?.read(reactor))
    }

    /// Counts bytes that a forwarding moved past this end's reads and flushes.
    pub(crate) fn on_moved(&mut self, reactor: &Handle, bytes: usize) {
        if let Some(pipe) = &mut self.pipe {
            pipe.on_moved(reactor, bytes);
        }
    }

    /// Watches it for a forwarding, or stops watching it.
    pub(crate) fn watch(&mut self, reactor: &Handle, watched: bool) {
        match &mut self.pipe {
            // As in `wait_for_room`.
            Some(pipe) if watched => drop(pipe.resume(reactor)),
            Some(pipe) => pipe.pause(reactor),
            None => {}
        }
    }
}
