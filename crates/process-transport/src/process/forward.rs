//! Moving a child's output on without looking at it: `splice(2)` where the kernel can, copies else.
//!
//! # Model
//!
//! A [`Forward`] stands between one readable end, the source, and a sink: a writable end of a child,
//! or a descriptor that it owns. When the source is readable it moves what there is, up to a share of
//! the turn. When the sink is full the source is taken out of the poller until there is room. At the
//! end of the source both are closed, of a socketpair the direction; when the sink is lost the source
//! is closed. Copies that wait for the sink when the source ends, or is closed, still go.

use super::Transport;
use super::draining::{has_ended, is_readable};
use super::leftovers::Leftovers;
use super::sink::{self, Sink};
use crate::sys::platform;
use procession_core::{Deferred, Promise, WithCell};
use procession_protocol::{ChildFd, ForwardError, Target};
use procession_reactor::driver::Drive;
use procession_reactor::pipe::ReadEvent;
use procession_reactor::{EventHandler, Handle, Key, Ready};
use rustix::io::Errno;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::{Rc, Weak};

/// The most that one forwarding moves in one turn, in bytes.
const TURN_BYTES: usize = 4 << 20;
/// The most that one call asks for, in bytes: the largest pipe an unprivileged user has.
const CALL_BYTES: usize = 1 << 20;
/// The copies that wait for the sink before the source is paused, in bytes.
const COPIES_HIGH_BYTES: usize = 256 << 10;

/// One forwarding under way.
pub(super) struct Forward {
    me: Weak<Self>,
    reactor: Handle,
    source: Weak<Transport>,
    source_fd: ChildFd,
    sink: Sink,
    state: WithCell<State>,
}

struct State {
    promise: Option<Promise<u64, ForwardError>>,
    moved: u64,
    /// The kernel cannot splice these two.
    copying: bool,
    /// The source is out of the poller until the sink has room.
    waiting: bool,
    /// The program paused the source.
    paused: bool,
    /// The source has ended; copies are still under way.
    ending: bool,
    /// What is still to be moved, where the source is only to be drained.
    left: Option<usize>,
    /// A connection was reset, which side's is not known yet.
    reset: bool,
    /// The loop stopped before the source had ended.
    cut_off: bool,
    /// A verb of the program's ends it: who waits for it is called by the loop.
    later: bool,
}

/// What one step came to.
enum Step {
    Moved(usize),
    WouldBlock,
    End,
    Lost(io::Error),
}

impl Forward {
    /// Begins to move what the child writes to `fd`.
    pub(super) fn start(
        source: &Rc<Transport>,
        fd: ChildFd,
        target: Target,
    ) -> Deferred<u64, ForwardError> {
        let refused = |kind: io::ErrorKind| Deferred::ready(Err(ForwardError::new(0, kind)));
        if !source.state.with(|state| state.can_forward(fd)) {
            return refused(io::ErrorKind::InvalidInput);
        }
        let (promise, deferred) = Deferred::new();
        match Self::between(source, fd, target, promise) {
            Ok(()) => deferred,
            Err(error) => Deferred::ready(Err(ForwardError::new(0, error))),
        }
    }

    fn between(
        source: &Rc<Transport>,
        fd: ChildFd,
        target: Target,
        promise: Promise<u64, ForwardError>,
    ) -> io::Result<()> {
        let state = State {
            promise: Some(promise),
            moved: 0,
            copying: false,
            waiting: false,
            paused: source.state.with(|state| state.is_paused(fd)),
            ending: false,
            left: None,
            reset: false,
            cut_off: false,
            later: false,
        };
        let new = |sink| {
            Rc::new_cyclic(|me| Self {
                me: me.clone(),
                reactor: source.driver.reactor().clone(),
                source: Rc::downgrade(source),
                source_fd: fd,
                sink,
                state: WithCell::new(state),
            })
        };
        let forward = match target {
            Target::Child(process, sink_fd) => {
                let sink = sink::transport(&process).ok_or(io::ErrorKind::Unsupported)?;
                let forward = new(Sink::Child(Rc::downgrade(&sink), sink_fd));
                sink.state.with(|state| state.feed(sink_fd, &forward))?;
                forward
            }
            Target::Fd(fd) => {
                let forward = new(Sink::Own(WithCell::new(None)));
                forward.open_sink(fd)?;
                forward
            }
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        source.state.with(|state| state.set_forward(fd, forward));
        Ok(())
    }

    fn open_sink(self: &Rc<Self>, fd: OwnedFd) -> io::Result<()> {
        self.sink.open(&self.reactor, fd, self.clone())
    }

    /// The source is readable.
    pub(super) fn source_ready(&self) {
        self.advance(true);
    }

    /// The sink has room again, or has taken its queue.
    pub(super) fn sink_ready(&self) {
        let (waited, ending) =
            self.state.with(|state| (std::mem::take(&mut state.waiting), state.ending));
        if ending {
            return self.end();
        }
        if waited && !self.state.with(|state| state.paused) {
            self.set_source_watched(true);
            self.advance(false);
        }
    }

    /// The sink is gone, with so many copies in its queue: nobody takes what the source writes.
    pub(super) fn sink_lost(&self, unsent: usize) {
        self.fail(Errno::PIPE.into(), unsent);
    }

    /// The loop stops, and the source is about to be closed.
    pub(super) fn cut_off(&self) {
        self.state.with(|state| state.cut_off |= !state.ending);
    }

    /// What it is told next is told inside of a verb.
    pub(super) fn complete_later(&self) {
        self.state.with(|state| state.later = true);
    }

    /// The source is closed by somebody else.
    pub(super) fn source_closed(&self) {
        self.end();
    }

    /// The source is to be closed after so many bytes more.
    pub(super) fn drain(&self, held: usize) {
        let ending = self.state.with(|state| {
            state.left = Some(held);
            state.ending
        });
        if ending {
            return self.source_ended(); // and only copies are under way
        }
        self.advance(false);
    }

    /// The program paused or resumed the source.
    pub(super) fn set_paused(&self, paused: bool) {
        let idle = self.state.with(|state| {
            state.paused = paused;
            state.waiting || state.ending
        });
        if !idle {
            self.set_source_watched(!paused);
        }
    }

    /// Moves what there is. `readable`: the poller has just said that the source is, so that a call
    /// that would block means a full sink.
    fn advance(&self, mut readable: bool) {
        let mut budget = TURN_BYTES;
        while budget > 0 {
            if self.state.with(|state| state.promise.is_none() || state.ending || state.paused) {
                return;
            }
            if self.state.with(|state| state.left) == Some(0) {
                if !self.source_key().is_some_and(|key| has_ended(&self.reactor, key)) {
                    return self.end();
                }
                // With its last writer gone it was not held, and what it holds is finite.
                self.state.with(|state| state.left = Some(usize::MAX));
            }
            if self.sink.queued() >= self.queue_limit() {
                return self.wait_for_sink();
            }
            let copying = self.state.with(|state| state.copying);
            match if copying { self.copy() } else { self.splice() } {
                Step::Moved(bytes) => {
                    self.count(bytes);
                    self.grow(bytes);
                    budget = budget.saturating_sub(bytes.max(1));
                    readable = false;
                }
                Step::WouldBlock if self.is_draining() && (copying || !self.has_more()) => {
                    return self.end();
                }
                // What can be read and is not moved waits for the sink.
                Step::WouldBlock if !copying && (readable || self.is_draining()) => {
                    return self.wait_for_sink();
                }
                Step::WouldBlock => return,
                Step::End => {
                    self.source_ended();
                    return self.end();
                }
                Step::Lost(error) => return self.fail(error, self.sink.queued()),
            }
        }
    }

    fn count(&self, bytes: usize) {
        let count = u64::try_from(bytes).unwrap_or(0);
        self.state.with(|state| {
            state.moved += count;
            state.left = state.left.map(|left| left.saturating_sub(bytes));
        });
    }

    fn is_draining(&self) -> bool {
        self.state.with(|state| state.left.is_some())
    }

    /// Whether the source has something to read, be it its end.
    fn has_more(&self) -> bool {
        self.source_key().is_some_and(|key| is_readable(&self.reactor, key))
    }

    fn source_key(&self) -> Option<Key> {
        self.source.upgrade()?.state.with(|state| state.key(self.source_fd))
    }

    /// The source was read to its end: nobody holds it.
    fn source_ended(&self) {
        if let Some(source) = self.source.upgrade() {
            source.state.with(|state| state.lifecycle.on_not_held(self.source_fd));
        }
    }

    /// A bulk passes: both pipes may grow. A source that is read counts its reads itself.
    fn grow(&self, bytes: usize) {
        let copying = self.state.with(|state| state.copying);
        if let Some(source) = self.source.upgrade().filter(|_| !copying) {
            source.state.with(|state| state.grow(&self.reactor, self.source_fd, bytes));
        }
        self.sink.grow(&self.reactor, bytes);
    }

    /// While splicing, what is queued goes first; copies go through the queue.
    fn queue_limit(&self) -> usize {
        if self.state.with(|state| state.copying) { COPIES_HIGH_BYTES } else { 1 }
    }

    fn splice(&self) -> Step {
        let most =
            self.state.with(|state| state.left).map_or(CALL_BYTES, |left| left.min(CALL_BYTES));
        let moved = self.with_fds(|source, sink| platform::splice(source, sink, most));
        match moved {
            None => Step::Lost(io::ErrorKind::NotConnected.into()),
            Some(Ok(0)) => Step::End,
            Some(Ok(bytes)) => Step::Moved(bytes),
            Some(Err(Errno::AGAIN)) => Step::WouldBlock,
            // A terminal that has hung up: its end.
            Some(Err(Errno::IO)) => Step::End,
            // The next call tells whose it was: the source has its end then (of a socketpair whose
            // child left something unread), and a sink is lost.
            Some(Err(Errno::CONNRESET))
                if !self.state.with(|state| std::mem::replace(&mut state.reset, true)) =>
            {
                Step::Moved(0)
            }
            Some(Err(Errno::INVAL | Errno::NOSYS | Errno::PERM)) => {
                self.state.with(|state| state.copying = true);
                Step::Moved(0)
            }
            Some(Err(error)) => Step::Lost(error.into()),
        }
    }

    fn copy(&self) -> Step {
        let Some(source) = self.source.upgrade() else { return Step::End };
        let event = source.state.with(|state| state.read_any(&self.reactor, self.source_fd));
        match event {
            Some(ReadEvent::Data(data)) => {
                let bytes = data.len();
                if let Err(error) = self.sink.write(data) {
                    return Step::Lost(error);
                }
                match self.sink.flush(&self.reactor) {
                    Ok(()) => Step::Moved(bytes),
                    Err(error) => {
                        // What is in the queue counts until it is taken off with the rest.
                        self.count(bytes);
                        Step::Lost(error)
                    }
                }
            }
            Some(ReadEvent::WouldBlock) => Step::WouldBlock,
            _ => Step::End,
        }
    }

    /// Takes the source out of the poller until the sink has room.
    fn wait_for_sink(&self) {
        if self.sink.is_always_ready() {
            return; // it was the source that had nothing, after all
        }
        self.state.with(|state| state.waiting = true);
        self.set_source_watched(false);
        self.sink.wait_for_room(&self.reactor);
    }

    fn set_source_watched(&self, watched: bool) {
        if let Some(source) = self.source.upgrade() {
            source.state.with(|state| state.watch_source(&self.reactor, self.source_fd, watched));
        }
    }

    fn with_fds<R>(&self, call: impl FnOnce(BorrowedFd<'_>, BorrowedFd<'_>) -> R) -> Option<R> {
        let source = self.source_key()?;
        let sink = self.sink.key()?;
        self.reactor
            .with_fd(source, |source| self.reactor.with_fd(sink, |sink| call(source, sink)))
            .flatten()
    }

    /// The source has nothing more; copies that wait still go.
    fn end(&self) {
        if self.sink.queued() == 0 {
            return self.finish(Ok(()));
        }
        self.state.with(|state| state.ending = true);
        self.set_source_watched(false);
    }

    /// The sink does not take what it was given, of which so many bytes are in its queue.
    fn fail(&self, error: io::Error, unsent: usize) {
        let unsent = u64::try_from(unsent).unwrap_or(0);
        self.state.with(|state| {
            // What is queued while the kernel moves the bytes is the program's own.
            if state.copying {
                state.moved = state.moved.saturating_sub(unsent);
            }
        });
        self.finish(Err(error));
    }

    /// Closes both sides and tells whoever waits for it. Once.
    fn finish(&self, result: io::Result<()>) {
        let (promise, moved, cut_off, later) = self
            .state
            .with(|state| (state.promise.take(), state.moved, state.cut_off, state.later));
        let Some(promise) = promise else { return };
        if let Some(source) = self.source.upgrade() {
            source.end_forward(self.source_fd, result.is_ok() && !self.is_draining());
        }
        self.sink.close(&self.reactor);
        let result = match result {
            Ok(()) if cut_off => {
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the event loop stopped"))
            }
            result => result,
        };
        let result = result.map(|()| moved).map_err(|error| ForwardError::new(moved, error));
        if later {
            self.reactor.call_soon(move |_| promise.complete(result));
        } else {
            promise.complete(result);
        }
    }
}

/// Events of a sink of one's own.
impl EventHandler for Forward {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        let Sink::Own(pipe) = &self.sink else { return };
        let seen = pipe.with(|pipe| Some(pipe.as_mut()?.on_ready(reactor, ready.readiness)));
        let Some(seen) = seen else { return };
        if seen.peer_gone {
            return self.sink_lost(self.sink.queued());
        }
        if seen.unblocked {
            match self.sink.flush(&self.reactor) {
                Err(error) => self.fail(error, self.sink.queued()),
                Ok(()) if self.sink.queued() == 0 => self.sink_ready(),
                Ok(()) => {}
            }
        }
    }

    fn reactor_dropped(self: Rc<Self>) {
        let promise = self.state.with(|state| state.promise.take());
        drop(promise);
        debug_assert!(self.me.upgrade().is_some(), "the reactor holds it");
    }
}

impl Transport {
    /// A forwarding from this end is over: the end is closed, of a socketpair whose reading alone has
    /// `ended` the direction, and its loss is due.
    fn end_forward(&self, fd: ChildFd, ended: bool) {
        let mut left = Leftovers::default();
        let over = self.state.with(|state| {
            let over = state.take_forward(fd);
            if over.is_some() && ended {
                state.on_read_end(self.driver.reactor(), fd, &mut left);
            } else if over.is_some() {
                state.close(self.driver.reactor(), fd, &mut left);
            }
            over
        });
        left.settle();
        drop(over);
        self.queue_flush();
    }
}
