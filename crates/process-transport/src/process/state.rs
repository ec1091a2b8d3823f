//! What is known of one child. Every method is a short change under the transport's borrow: no
//! callback, and what may run foreign code when dropped is handed out as [`Leftovers`].

use super::Birth;
use super::forward::Forward;
use super::growth::{BUFFER_BYTES, Growth};
use super::terminate::{Settled, Terminating};
use crate::command::Group;
use crate::ends::ParentEnd;
use crate::sys;
use bytes::Bytes;
use procession_core::{Signal, Spent, WriteError};
use procession_protocol::{ChildFd, Lifecycle, SpawnPath};
use procession_reactor::pipe::{Direction, FlushOutcome, Pipe, ReadEvent};
use procession_reactor::{DelayedCall, Handle, Key, Readiness};
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// One child's state.
pub(super) struct State {
    pub(super) lifecycle: Lifecycle,
    ends: Vec<End>,
    pub(super) pid: u32,
    pub(super) path: SpawnPath,
    /// The child leads the group that has its pid.
    pub(super) leads_group: bool,
    /// `terminate` and `kill_on_drop` act on that group.
    pub(super) owned: bool,
    kill_on_drop: bool,
    pipes_grow: bool,
    pub(super) exit: ExitWatch,
    pub(super) parent_peak_kib: i64,
    pub(super) terminating: Option<Terminating>,
    pub(super) drain_timer: Option<DelayedCall>,
    /// The end of child fd 1 is the master of the child's terminal, its 0 to 2.
    pub(super) has_terminal: bool,
    /// The slave, until the child is reaped: see `terminal::Terminal`.
    slave: Option<Rc<OwnedFd>>,
}

/// Where the child's pidfd is.
#[derive(Debug)]
pub(super) enum ExitWatch {
    /// Not yet given to the loop.
    New(Option<OwnedFd>),
    /// In the loop.
    Source(Key),
    /// Reaped; kept for signals to the group that the child led.
    Kept(OwnedFd),
    /// Reaped, or given away.
    Gone,
}

/// The parent's end of one of the child's descriptors.
pub(super) struct End {
    pub(super) fd: ChildFd,
    pub(super) direction: Direction,
    /// The program asked for its close; nothing is read any more.
    pub(super) closing: bool,
    /// Only the parent's direction of a socketpair ends.
    shutting_down: bool,
    /// The poller saw that nobody reads what is written.
    peer_gone: bool,
    growth: Growth,
    /// What it reads is moved on instead of being told.
    forward: Option<Rc<Forward>>,
    /// What it writes comes from there.
    fed_by: Option<Rc<Forward>>,
    /// `None` once it is closed.
    pub(super) pipe: Option<Pipe>,
}

/// What is to be dropped, completed or told, where nothing is borrowed.
#[derive(Default)]
#[must_use = "settle it where nothing is borrowed"]
pub(super) struct Leftovers {
    chunks: Spent,
    pub(super) settled: Option<Settled>,
    pub(super) timer: Option<DelayedCall>,
    /// Forwardings whose source was closed, whose sink was, and whose sink has room.
    source_closed: Option<Rc<Forward>>,
    sink_lost: Option<Rc<Forward>>,
    sink_ready: Vec<Rc<Forward>>,
}

impl Leftovers {
    fn take(&mut self, chunks: Spent) {
        self.chunks.extend(chunks);
    }

    /// Drops and tells all of it.
    pub(super) fn settle(self) {
        drop(self.chunks);
        drop(self.timer);
        if let Some(settled) = self.settled {
            settled.complete();
        }
        if let Some(forward) = self.source_closed {
            forward.source_closed();
        }
        if let Some(forward) = self.sink_lost {
            forward.sink_lost();
        }
        for forward in self.sink_ready {
            forward.sink_ready();
        }
    }
}

/// What an event asks for.
#[derive(Default)]
pub(super) struct Wants {
    pub(super) read: bool,
    pub(super) flush: bool,
    pub(super) left: Leftovers,
}

impl State {
    /// The state of a child that has begun to run, and its ends, not yet part of it.
    pub(super) fn new(birth: Birth) -> (Self, Vec<ParentEnd>) {
        let fds = birth.ends.iter().map(|end| end.fd);
        let state = Self {
            lifecycle: Lifecycle::new(fds, birth.drain_after_exit),
            ends: Vec::with_capacity(birth.ends.len()),
            pid: birth.launched.pid,
            path: birth.launched.path,
            leads_group: matches!(birth.group, Group::Session | Group::Process(0)),
            owned: birth.owned,
            kill_on_drop: birth.kill_on_drop,
            pipes_grow: birth.pipes_grow,
            exit: ExitWatch::New(birth.launched.pidfd),
            parent_peak_kib: birth.parent_peak_kib,
            terminating: None,
            drain_timer: None,
            has_terminal: birth.slave.is_some(),
            slave: birth.slave,
        };
        (state, birth.ends)
    }

    pub(super) fn add_end(&mut self, fd: ChildFd, direction: Direction, pipe: Pipe) {
        let pipe = Some(pipe);
        self.ends.push(End {
            fd,
            direction,
            closing: false,
            shutting_down: false,
            peer_gone: false,
            growth: Growth::new(self.pipes_grow),
            forward: None,
            fed_by: None,
            pipe,
        });
    }

    /// The end of one child fd, open or closed; a handful at most in nearly every child.
    pub(super) fn end(&mut self, fd: ChildFd) -> Option<&mut End> {
        self.ends.iter_mut().find(|end| end.fd == fd)
    }

    pub(super) fn fds(&self) -> Vec<ChildFd> {
        self.ends.iter().map(|end| end.fd).collect()
    }

    /// Tells the lifecycle; data that it does not take is handed back, to be dropped elsewhere.
    pub(super) fn on_data(&mut self, fd: ChildFd, data: Bytes) -> Option<Bytes> {
        if self.lifecycle.accepts(fd) && !self.lifecycle.is_panicked() {
            self.lifecycle.on_data(fd, data);
            return None;
        }
        Some(data)
    }

    /// Closes the parent's end now; its loss is due.
    pub(super) fn close(&mut self, reactor: &Handle, fd: ChildFd) -> Leftovers {
        let mut left = Leftovers::default();
        if let Some(end) = self.end(fd) {
            left.source_closed = end.forward.take();
            left.sink_lost = end.fed_by.take();
            if let Some(pipe) = end.pipe.take() {
                left.take(pipe.close(reactor));
            }
        }
        self.lifecycle.on_pipe_closed(fd);
        left
    }

    /// The child writes no more to this end: all of it, but for a socketpair that is still written.
    pub(super) fn on_read_end(&mut self, reactor: &Handle, fd: ChildFd) -> Leftovers {
        let terminal = self.is_terminal(fd);
        let Some(end) = self.end(fd) else { return Leftovers::default() };
        let Some(pipe) = &mut end.pipe else { return Leftovers::default() };
        let written = end.direction == Direction::Both && pipe.is_writing() && !end.peer_gone;
        if terminal || !written {
            return self.close(reactor, fd);
        }
        pipe.end_reading(reactor);
        self.lifecycle.on_read_closed(fd);
        Leftovers::default()
    }

    /// Sorts out what the poller saw of one end.
    pub(super) fn on_ready(&mut self, reactor: &Handle, fd: ChildFd, seen: Readiness) -> Wants {
        let mut wants = Wants::default();
        let Some(end) = self.end(fd) else { return wants };
        let Some(pipe) = &mut end.pipe else { return wants };
        let ready = pipe.on_ready(reactor, seen);
        wants.read = ready.readable;
        wants.flush = ready.unblocked;
        // A socketpair tells by its reads; of a pipe there is nothing left to learn.
        end.peer_gone |= ready.peer_gone;
        if ready.peer_gone && !pipe.is_reading() {
            wants.left = self.close(reactor, fd);
        }
        wants
    }

    /// Writes what is queued and closes what is to be closed, for every end.
    pub(super) fn flush(&mut self, reactor: &Handle) -> Vec<Leftovers> {
        (0..self.ends.len()).filter_map(|index| self.flush_end(reactor, index)).collect()
    }

    fn flush_end(&mut self, reactor: &Handle, index: usize) -> Option<Leftovers> {
        let mut left = Leftovers::default();
        let hang_up = self.is_terminal(self.ends[index].fd) && self.ends[index].closing;
        let end = &mut self.ends[index];
        let fd = end.fd;
        let pipe = end.pipe.as_mut()?;
        let mut close = end.closing;
        let mut grow = false;
        if pipe.is_writing() {
            let flushed = pipe.flush(reactor);
            left.take(flushed.spent);
            if matches!(flushed.outcome, FlushOutcome::Idle) {
                left.sink_ready.extend(end.fed_by.clone());
            }
            while let Some(mark) = pipe.queue().and_then(procession_core::WriteQueue::poll_mark) {
                self.lifecycle.on_mark(fd, mark);
            }
            close = match flushed.outcome {
                FlushOutcome::Lost(_) => true,
                FlushOutcome::Done => end.closing,
                _ => hang_up,
            };
            if matches!(flushed.outcome, FlushOutcome::Blocked)
                && pipe.queue().is_some_and(|queue| queue.len() >= BUFFER_BYTES)
            {
                grow = true;
            }
            if !close && end.shutting_down && pipe.queue().is_some_and(|queue| queue.is_done()) {
                shut_down(reactor, pipe);
                left.chunks.extend(pipe.end_writing(reactor));
                close = !pipe.is_reading();
            }
        }
        if grow {
            self.grow(reactor, fd, BUFFER_BYTES);
        }
        if close {
            let mut closed = self.close(reactor, fd);
            closed.take(left.chunks);
            return Some(closed);
        }
        (!left.chunks.is_empty() || !left.sink_ready.is_empty()).then_some(left)
    }

    /// The end that a write to `fd` goes to: of a terminal all goes to its 0.
    pub(super) fn writable_end(&mut self, fd: ChildFd) -> Result<&mut End, WriteError> {
        let fd = match fd {
            ChildFd::STDIN if self.has_terminal => ChildFd::STDOUT,
            ChildFd::STDOUT | ChildFd::STDERR if self.has_terminal => {
                return Err(WriteError::NotWritable);
            }
            fd => fd,
        };
        let end = self.end(fd).ok_or(WriteError::UnknownFd)?;
        if end.direction == Direction::Read { Err(WriteError::NotWritable) } else { Ok(end) }
    }

    /// Whether `fd` is one that the child has its terminal on.
    pub(super) fn is_terminal(&self, fd: ChildFd) -> bool {
        self.has_terminal && fd <= ChildFd::STDERR
    }

    /// Marks the terminal for closing, which hangs the child up; true if there is one.
    pub(super) fn ask_hang_up(&mut self) -> bool {
        if !self.has_terminal {
            return false;
        }
        let Some(end) = self.end(ChildFd::STDOUT).filter(|end| end.pipe.is_some()) else {
            return false;
        };
        end.closing = true;
        true
    }

    /// The child is reaped: what its terminal still holds ends in the end of the master.
    pub(super) fn close_slave(&mut self) {
        self.slave = None;
    }

    /// Queues data for one end.
    ///
    /// What is not taken stays in `data`, to be dropped where nothing is borrowed.
    pub(super) fn write(&mut self, fd: ChildFd, data: &mut Bytes) -> Result<(), WriteError> {
        let end = self.writable_end(fd)?;
        let queue = end.pipe.as_mut().and_then(Pipe::queue).ok_or(WriteError::Closed)?;
        queue.on_write_from(data)
    }

    /// Marks one end for closing; true if there is something to do at the flush.
    pub(super) fn ask_close(&mut self, fd: ChildFd) -> bool {
        if self.is_terminal(fd) {
            return false;
        }
        let Some(end) = self.end(fd) else { return false };
        let Some(pipe) = &mut end.pipe else { return false };
        end.closing = true;
        if let Some(queue) = pipe.queue() {
            queue.on_close();
        }
        true
    }

    /// Ends the parent's direction of a socketpair after its queue.
    pub(super) fn ask_shutdown(&mut self, fd: ChildFd) -> bool {
        let Some(end) = self.end(fd) else { return false };
        if end.direction != Direction::Both {
            return self.ask_close(fd);
        }
        let Some(queue) = end.pipe.as_mut().and_then(Pipe::queue) else { return false };
        queue.on_close();
        end.shutting_down = true;
        true
    }

    /// The bytes that can be read at this moment.
    pub(super) fn readable_bytes(&mut self, reactor: &Handle, fd: ChildFd) -> usize {
        let Some(pipe) = self.end(fd).and_then(|end| end.pipe.as_ref()) else { return 0 };
        let held = reactor.with_fd(pipe.key(), |fd| rustix::io::ioctl_fionread(fd));
        held.and_then(Result::ok).and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0)
    }

    /// The protocol is gone: nothing more is written, and what the child writes is read and thrown
    /// away, so that it can come to its end.
    pub(super) fn on_panicked(&mut self, reactor: &Handle) -> Vec<Leftovers> {
        let mut all = Vec::new();
        let mut left = Leftovers::default();
        left.take(self.lifecycle.on_panicked());
        for fd in self.fds() {
            let terminal = self.is_terminal(fd);
            let Some(end) = self.end(fd) else { continue };
            let Some(pipe) = &mut end.pipe else { continue };
            if end.direction == Direction::Read || terminal {
                if let Some(queue) = pipe.queue() {
                    left.chunks.extend(queue.on_abort());
                }
                if end.forward.is_none() {
                    pipe.resume(reactor).ok(); // the child then blocks, and dies with its reader
                }
                self.lifecycle.on_resumed(fd);
            } else {
                all.push(self.close(reactor, fd));
            }
        }
        all.push(left);
        all
    }

    /// The loop is going away with every descriptor in it.
    ///
    /// What it leaves over is only dropped: nobody is told anything any more.
    pub(super) fn on_reactor_dropped(&mut self, reactor: &Handle) -> Vec<Leftovers> {
        let mut left = Leftovers::default();
        let mut all: Vec<Leftovers> =
            self.fds().into_iter().map(|fd| self.close(reactor, fd)).collect();
        if !self.lifecycle.is_reaped() {
            if self.kill_on_drop {
                self.signal_owned(reactor, Signal::KILL).ok(); // ended already is as good
            }
            let pidfd = match std::mem::replace(&mut self.exit, ExitWatch::Gone) {
                ExitWatch::Source(key) => reactor.take_fd(key),
                ExitWatch::New(pidfd) => pidfd,
                ExitWatch::Kept(_) | ExitWatch::Gone => None,
            };
            crate::orphans::abandon(self.pid, pidfd);
        }
        left.timer = self.terminating.take().map(|terminating| terminating.kill);
        all.push(left);
        all
    }

    /// With the pidfd, or the number of a child that is not reaped.
    pub(super) fn with_child<R>(
        &self,
        reactor: &Handle,
        call: impl FnOnce(sys::Child<'_>) -> R,
    ) -> Option<R> {
        use std::os::fd::AsFd;
        match &self.exit {
            ExitWatch::Source(key) => reactor.with_fd(*key, |fd| call(sys::Child::Fd(fd))),
            ExitWatch::New(Some(fd)) => Some(call(sys::Child::Fd(fd.as_fd()))),
            ExitWatch::New(None) => Some(call(sys::Child::Pid(self.pid))),
            ExitWatch::Kept(_) | ExitWatch::Gone => None,
        }
    }
}

/// Forwarding: an end as source or as sink.
impl State {
    /// Whether what the child writes to `fd` can be moved on.
    pub(super) fn can_forward(&mut self, fd: ChildFd) -> bool {
        self.end(fd).is_some_and(|end| {
            end.forward.is_none() && !end.closing && end.pipe.as_ref().is_some_and(Pipe::is_reading)
        })
    }

    pub(super) fn set_forward(&mut self, fd: ChildFd, forward: Rc<Forward>) {
        if let Some(end) = self.end(fd) {
            end.forward = Some(forward);
        }
    }

    pub(super) fn forward(&mut self, fd: ChildFd) -> Option<Rc<Forward>> {
        self.end(fd)?.forward.clone()
    }

    pub(super) fn take_forward(&mut self, fd: ChildFd) -> Option<Rc<Forward>> {
        self.end(fd)?.forward.take()
    }

    /// Makes `fd` the sink of a forwarding.
    pub(super) fn feed(&mut self, fd: ChildFd, forward: &Rc<Forward>) -> Result<(), WriteError> {
        let end = self.writable_end(fd)?;
        if end.closing || end.pipe.as_ref().is_none_or(|pipe| !pipe.is_writing()) {
            return Err(WriteError::Closed);
        }
        if end.fed_by.is_some() {
            return Err(WriteError::NotWritable);
        }
        end.fed_by = Some(Rc::clone(forward));
        Ok(())
    }

    /// The forwarding into `fd` is over.
    pub(super) fn feed_ends(&mut self, fd: ChildFd) -> Option<Rc<Forward>> {
        self.writable_end(fd).ok()?.fed_by.take()
    }

    pub(super) fn key(&mut self, fd: ChildFd) -> Option<Key> {
        Some(self.end(fd)?.pipe.as_ref()?.key())
    }

    /// One read, whether the end is paused or not.
    pub(super) fn read_any(&mut self, reactor: &Handle, fd: ChildFd) -> Option<ReadEvent> {
        Some(self.end(fd)?.pipe.as_mut()?.read(reactor))
    }

    pub(super) fn is_paused(&mut self, fd: ChildFd) -> bool {
        let pipe = self.end(fd).and_then(|end| end.pipe.as_ref());
        pipe.is_some_and(Pipe::is_paused)
    }

    /// Asks the poller for the moment at which `fd` has room.
    pub(super) fn wait_for_room(&mut self, reactor: &Handle, fd: ChildFd) {
        let pipe = self.writable_end(fd).ok().and_then(|end| end.pipe.as_mut());
        // Without memory in the poller the forwarding stands still until the source ends.
        pipe.map(|pipe| pipe.wait_for_room(reactor).ok());
    }

    /// Watches the source of a forwarding, or leaves it alone.
    pub(super) fn watch_source(&mut self, reactor: &Handle, fd: ChildFd, watched: bool) {
        let Some(pipe) = self.end(fd).and_then(|end| end.pipe.as_mut()) else { return };
        if watched {
            pipe.resume(reactor).ok(); // as above
        } else {
            pipe.pause(reactor);
        }
    }

    /// So many bytes have passed at once: the pipe may be due for a larger size.
    pub(super) fn grow(&mut self, reactor: &Handle, fd: ChildFd, bytes: usize) {
        let Some(end) = self.end(fd) else { return };
        let Some(size) = end.growth.on_moved(bytes) else { return };
        let Some(key) = end.pipe.as_ref().map(Pipe::key) else { return };
        let grown = reactor.with_fd(key, |fd| rustix::pipe::fcntl_setpipe_size(fd, size));
        if !matches!(grown, Some(Ok(_))) {
            end.growth.on_refused();
        }
    }
}

/// Tells the child that no more is coming on a socketpair.
fn shut_down(reactor: &Handle, pipe: &Pipe) {
    let how = rustix::net::Shutdown::Write;
    // Not connected any more is as good.
    reactor.with_fd(pipe.key(), |fd| rustix::net::shutdown(fd, how)).map(Result::ok);
}
