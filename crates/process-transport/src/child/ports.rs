//! The ends of a child as ports, for forwarding.
//!
//! The mechanism is the reactor's ([`procession_reactor::driver::Forward`]).

use std::io;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use procession_core::{Deferred, WriteError};
use procession_protocol::driver::ProcessControl;
use procession_protocol::{ChildFd, ForwardError, Target};
use procession_reactor::Handle;
use procession_reactor::driver::{Forward, Key, Machine, ReadEvent, SinkPort, SourcePort};

use super::driver::ChildTransport;
use super::parts::{End, Leftovers, reactor_gone};

/// Starts to move what the child writes to `fd`.
pub(super) fn forward(
    source: &Rc<ChildTransport>,
    fd: ChildFd,
    target: Target,
) -> Deferred<u64, ForwardError> {
    begin(source, fd, target).unwrap_or_else(|error| Deferred::ready(Err(failed(fd, 0, error))))
}

fn failed(fd: ChildFd, moved: u64, error: io::Error) -> ForwardError {
    ForwardError::new(moved, error).of(format!("child fd {fd}"))
}

fn begin(
    source: &Rc<ChildTransport>,
    fd: ChildFd,
    target: Target,
) -> io::Result<Deferred<u64, ForwardError>> {
    if source.is_cut_off() {
        return Err(reactor_gone());
    }
    let refusal = source.state.with(|state| match state.ends.get(fd) {
        Some(end) => end.forward_refusal(),
        None => Some("the parent has no end of it"),
    });
    if let Some(why) = refusal {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let sink = <dyn SinkPort>::of_target(source.reactor(), target.into_fd())?;
    let source_end = Rc::new(SourceEnd { child: Rc::downgrade(source), fd });
    let (promise, deferred) = Deferred::new();
    Forward::start(source.reactor(), source_end, sink, move |moved, result| {
        promise.complete(result.map(|()| moved).map_err(|error| failed(fd, moved, error)));
    })?;
    Ok(deferred)
}

/// A readable end, as the source of a forwarding.
struct SourceEnd {
    child: Weak<ChildTransport>,
    fd: ChildFd,
}

impl SourceEnd {
    fn with_end<R>(&self, call: impl FnOnce(&mut End, &Handle) -> R) -> Option<R> {
        let child = self.child.upgrade()?;
        child.state.with(|state| Some(call(state.ends.get(self.fd)?, child.reactor())))
    }
}

impl SourcePort for SourceEnd {
    fn key(&self) -> Option<Key> {
        self.with_end(|end, _| end.key()).flatten()
    }

    fn on_moved(&self, bytes: usize) {
        self.with_end(|end, reactor| end.on_moved(reactor, bytes));
    }

    fn begin(&self, forward: &Rc<Forward>) -> bool {
        let paused = self.with_end(|end, _| {
            end.set_forward(Rc::clone(forward));
            end.is_paused()
        });
        paused.unwrap_or(false)
    }

    fn read(&self) -> ReadEvent {
        let read = self.with_end(|end, reactor| end.read_any(reactor));
        read.flatten().unwrap_or(ReadEvent::End)
    }

    fn watch(&self, watched: bool) {
        self.with_end(|end, reactor| end.watch(reactor, watched));
    }

    /// Makes the loss of the end due, or of only the reading direction of a socketpair.
    fn close_source(&self, ended: bool) {
        let Some(child) = self.child.upgrade() else { return };
        let mut left = Leftovers::default();
        let over = child.state.with(|state| {
            let over = state.ends.get(self.fd)?.take_forward()?;
            if ended {
                state.on_read_end(child.reactor(), self.fd, &mut left);
            } else {
                state.close(child.reactor(), self.fd, &mut left);
            }
            Some(over)
        });
        left.settle();
        drop(over);
        child.queue_flush();
    }
}

/// A writable end, as the sink of a forwarding; for a terminal it is fd 0.
pub(super) struct SinkEnd {
    child: Weak<ChildTransport>,
    fd: ChildFd,
}

impl SinkEnd {
    pub(super) fn new(child: Weak<ChildTransport>, fd: ChildFd) -> Self {
        Self { child, fd }
    }

    fn with_end<R>(&self, call: impl FnOnce(&mut End, &Handle) -> R) -> Result<R, WriteError> {
        let child = self.child.upgrade().ok_or(WriteError::Closed)?;
        child.state.with(|state| Ok(call(state.ends.writable(self.fd)?, child.reactor())))
    }

    #[cold]
    fn write_error(&self, error: WriteError) -> WriteError {
        self.child.upgrade().map_or(error, |child| child.write_error(error))
    }
}

impl SinkPort for SinkEnd {
    fn key(&self) -> Option<Key> {
        self.with_end(|end, _| end.key()).ok().flatten()
    }

    fn on_moved(&self, bytes: usize) {
        self.with_end(|end, reactor| end.on_moved(reactor, bytes)).ok();
    }

    fn feed(&self, forward: &Rc<Forward>) -> io::Result<()> {
        let fed = self.with_end(|end, _| end.feed(forward)).and_then(|fed| fed);
        Ok(fed.map_err(|error| self.write_error(error))?)
    }

    /// Queues the data; the transport flushes it.
    fn write(&self, data: &mut Bytes) -> io::Result<()> {
        let written = self.with_end(|end, _| end.write(data)).and_then(|written| written);
        written.map_err(|error| self.write_error(error))?;
        if let Some(child) = self.child.upgrade() {
            child.queue_flush();
        }
        Ok(())
    }

    fn queued(&self) -> usize {
        self.with_end(|end, _| end.queue().map_or(0, |queue| queue.len())).unwrap_or(0)
    }

    fn wait_for_room(&self) -> bool {
        self.with_end(|end, reactor| end.wait_for_room(reactor)).ok();
        true
    }

    /// Ends the sink; of a socketpair only this direction.
    fn finish(&self) {
        let Some(child) = self.child.upgrade() else { return };
        let over = self.with_end(|end, _| end.feed_ends()).ok().flatten();
        drop(over);
        ProcessControl::shutdown_write(&*child, self.fd);
    }
}
