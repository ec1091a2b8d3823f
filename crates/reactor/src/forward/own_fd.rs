//! A sink that nobody else knows: a descriptor that belongs to its forwarding.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::Bytes;
use procession_core::WriteError;
use procession_core::driver::WithCell;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::forwarding::{Forward, Port, SinkPort};
use crate::handle::Handle;
use crate::handler::{EventHandler, Ready};
use crate::pipe::{Direction, FlushOutcome, Pipe};
use crate::sources::Key;

/// A descriptor as the sink of one forwarding, which closes it at its end.
pub struct OwnFd {
    reactor: Handle,
    /// `None` before it is opened and after it is closed.
    pipe: WithCell<Option<Pipe>>,
    forward: WithCell<Option<Rc<Forward>>>,
}

impl OwnFd {
    /// Makes a socket, a pipe or a file nonblocking, and gives it to the loop.
    ///
    /// # Errors
    ///
    /// As [`Pipe::open`]. The descriptor is closed then.
    pub fn open(reactor: &Handle, fd: OwnedFd) -> io::Result<Rc<Self>> {
        fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
        let port = Rc::new(Self {
            reactor: reactor.clone(),
            pipe: WithCell::new(None),
            forward: WithCell::new(None),
        });
        let pipe = Pipe::open(reactor, fd, Direction::Write, port.clone(), 0)?;
        port.pipe.with(|opened| *opened = Some(pipe));
        Ok(port)
    }

    fn forward(&self) -> Option<Rc<Forward>> {
        self.forward.with(|forward| forward.clone())
    }

    /// Writes what is queued.
    fn flush_queue(&self) -> io::Result<()> {
        let flushed = self.pipe.with(|pipe| Some(pipe.as_mut()?.flush(&self.reactor)));
        let Some(flushed) = flushed else { return Ok(()) };
        drop(flushed.spent);
        match flushed.outcome {
            FlushOutcome::Lost(error) => Err(error),
            _ => Ok(()),
        }
    }
}

impl Port for OwnFd {
    fn key(&self) -> Option<Key> {
        self.pipe.with(|pipe| Some(pipe.as_ref()?.key()))
    }
}

impl SinkPort for OwnFd {
    fn feed(&self, forward: &Rc<Forward>) -> io::Result<()> {
        self.forward.with(|fed_by| match fed_by {
            Some(_) => Err(WriteError::NotWritable.into()),
            None => {
                *fed_by = Some(Rc::clone(forward));
                Ok(())
            }
        })
    }

    fn write(&self, data: &mut Bytes) -> io::Result<()> {
        self.pipe.with(|pipe| {
            let queue = pipe.as_mut().and_then(Pipe::queue).ok_or(WriteError::Closed)?;
            queue.on_write_from(data)
        })?;
        self.flush_queue()
    }

    fn queued(&self) -> usize {
        self.pipe.with(|pipe| pipe.as_mut().and_then(Pipe::queue).map_or(0, |queue| queue.len()))
    }

    fn wait_for_room(&self) -> bool {
        self.pipe.with(|pipe| {
            let Some(pipe) = pipe.as_mut().filter(|pipe| !pipe.is_always_ready()) else {
                return false;
            };
            // Without memory in the poller the forwarding stands still until the source ends.
            pipe.wait_for_room(&self.reactor).ok();
            true
        })
    }

    fn finish(&self) {
        let forward = self.forward.with(Option::take);
        let pipe = self.pipe.with(Option::take);
        let spent = pipe.map(|pipe| pipe.close(&self.reactor));
        drop((spent, forward));
    }
}

impl EventHandler for OwnFd {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        let seen = self.pipe.with(|pipe| Some(pipe.as_mut()?.on_ready(reactor, ready.readiness)));
        let Some((seen, forward)) = seen.zip(self.forward()) else { return };
        if seen.peer_gone {
            return forward.sink_lost(Errno::PIPE.into(), self.queued());
        }
        if seen.unblocked {
            match self.flush_queue() {
                Err(error) => forward.sink_lost(error, self.queued()),
                Ok(()) if self.queued() == 0 => forward.sink_ready(),
                Ok(()) => {}
            }
        }
    }

    fn reactor_dropped(self: Rc<Self>) {
        if let Some(forward) = self.forward.with(Option::take) {
            forward.abandon();
        }
    }
}

impl fmt::Debug for OwnFd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnFd").field("key", &self.key()).finish_non_exhaustive()
    }
}
