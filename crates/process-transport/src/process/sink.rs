//! Where a forwarding leads: a writable end of a child, or a descriptor of its own.

use super::Transport;
use bytes::Bytes;
use procession_core::{WithCell, WriteError};
use procession_protocol::{ChildFd, Process, ProcessControl};
use procession_reactor::pipe::{Direction, FlushOutcome, Pipe};
use procession_reactor::{EventHandler, Handle, Key};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};

/// The sink of a forwarding.
pub(super) enum Sink {
    Child(Weak<Transport>, ChildFd),
    /// `None` before it is opened and after it is closed.
    Own(WithCell<Option<Pipe>>),
}

impl Sink {
    /// Gives a descriptor of one's own to the loop.
    pub(super) fn open(
        &self,
        reactor: &Handle,
        fd: OwnedFd,
        handler: Rc<dyn EventHandler>,
    ) -> io::Result<()> {
        fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
        let opened = Pipe::open(reactor, fd, Direction::Write, handler, 0)?;
        if let Self::Own(pipe) = self {
            pipe.with(|pipe| *pipe = Some(opened));
        }
        Ok(())
    }

    pub(super) fn key(&self) -> Option<Key> {
        match self {
            Self::Child(sink, fd) => sink.upgrade()?.state.with(|state| state.sink_key(*fd)),
            Self::Own(pipe) => pipe.with(|pipe| Some(pipe.as_ref()?.key())),
        }
    }

    /// Queues a copy. A child's end is flushed by its own transport.
    pub(super) fn write(&self, mut data: Bytes) -> io::Result<()> {
        match self {
            Self::Child(sink, fd) => {
                let sink = sink.upgrade().ok_or(WriteError::Closed)?;
                Ok(ProcessControl::write(&*sink, *fd, data)?)
            }
            Self::Own(pipe) => pipe.with(|pipe| {
                let queue = pipe.as_mut().and_then(Pipe::queue).ok_or(WriteError::Closed)?;
                Ok(queue.on_write_from(&mut data)?)
            }),
        }
    }

    /// Writes what is queued for a descriptor of one's own.
    pub(super) fn flush(&self, reactor: &Handle) -> io::Result<()> {
        let Self::Own(pipe) = self else { return Ok(()) };
        let flushed = pipe.with(|pipe| Some(pipe.as_mut()?.flush(reactor)));
        let Some(flushed) = flushed else { return Ok(()) };
        drop(flushed.spent);
        match flushed.outcome {
            FlushOutcome::Lost(error) => Err(error),
            _ => Ok(()),
        }
    }

    /// The bytes that wait in its queue.
    pub(super) fn queued(&self) -> usize {
        match self {
            Self::Child(sink, fd) => {
                sink.upgrade().map_or(0, |sink| ProcessControl::write_buffered(&*sink, *fd))
            }
            Self::Own(pipe) => {
                pipe.with(|pipe| pipe.as_mut().and_then(Pipe::queue).map_or(0, |queue| queue.len()))
            }
        }
    }

    /// Whether it never blocks: no event of it will come.
    pub(super) fn is_always_ready(&self) -> bool {
        match self {
            Self::Child(..) => false,
            Self::Own(pipe) => pipe.with(|pipe| pipe.as_ref().is_none_or(Pipe::is_always_ready)),
        }
    }

    /// Asks the poller for the moment at which it has room.
    pub(super) fn wait_for_room(&self, reactor: &Handle) {
        match self {
            Self::Child(sink, fd) => {
                if let Some(sink) = sink.upgrade() {
                    sink.state.with(|state| state.wait_for_room(reactor, *fd));
                }
            }
            Self::Own(pipe) => pipe.with(|pipe| {
                if let Some(pipe) = pipe {
                    // Without memory in the poller the forwarding stands still until the source ends.
                    pipe.wait_for_room(reactor).ok();
                }
            }),
        }
    }

    /// So many bytes have passed at once.
    pub(super) fn grow(&self, reactor: &Handle, bytes: usize) {
        if let Self::Child(sink, fd) = self
            && let Some(sink) = sink.upgrade()
        {
            sink.state.with(|state| state.grow(reactor, *fd, bytes));
        }
    }

    pub(super) fn close(&self, reactor: &Handle) {
        match self {
            Self::Child(sink, fd) => {
                if let Some(sink) = sink.upgrade() {
                    let over = sink.state.with(|state| state.feed_ends(*fd));
                    drop(over);
                    // Of a socketpair only this direction has ended.
                    ProcessControl::shutdown_child_fd(&*sink, *fd);
                }
            }
            Self::Own(pipe) => {
                let taken = pipe.with(Option::take);
                let spent = taken.map(|pipe| pipe.close(reactor));
                drop(spent);
            }
        }
    }
}

/// The transport behind a handle, if it is one of this crate's.
pub(super) fn transport(process: &Process) -> Option<Rc<Transport>> {
    process.as_any()?.downcast_ref::<Transport>()?.driver.me().upgrade()
}
