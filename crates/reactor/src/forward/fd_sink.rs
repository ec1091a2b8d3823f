//! A sink without a transport: a descriptor that belongs to its forwarding.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use procession_core::WriteError;
use procession_core::driver::{Direction, Spent, WithCell};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::forwarding::{Forward, SinkPort};
use crate::handle::Handle;
use crate::handle::ends::EndWatch;
use crate::handle::{EventHandler, Ready};
use crate::pipe::{FlushOutcome, Pipe};
use crate::store::ends::{OnEnd, Outlasting};
use crate::store::sources::Key;

/// A descriptor as the sink of one forwarding. It is closed when the forwarding ends.
struct FdSink {
    reactor: Handle,
    /// `None` before it is opened and after it is closed.
    pipe: WithCell<Option<Pipe>>,
    forward: WithCell<Option<Rc<Forward>>>,
    /// Has the forwarding abandoned at the end of the loop.
    _end: EndWatch,
}

impl dyn SinkPort {
    /// Makes a socket, a pipe or a file nonblocking and gives it to the loop, as the sink of one
    /// forwarding. The descriptor is closed when the forwarding ends.
    ///
    /// # Errors
    ///
    /// Errors of `fcntl(2)`, and those of [`Pipe::open`]. The descriptor is closed then.
    pub fn of_fd(reactor: &Handle, fd: OwnedFd) -> io::Result<Rc<Self>> {
        fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
        let port = Rc::new_cyclic(|me: &Weak<FdSink>| FdSink {
            reactor: reactor.clone(),
            pipe: WithCell::new(None),
            forward: WithCell::new(None),
            _end: reactor.io().watch_end(me.clone()),
        });
        let pipe = Pipe::open(reactor, fd, Direction::Write, port.clone(), 0)?;
        port.pipe.with(|opened| *opened = Some(pipe));
        Ok(port)
    }
}

impl FdSink {
    fn forward(&self) -> Option<Rc<Forward>> {
        self.forward.with(|forward| forward.clone())
    }

    /// Writes the queued data.
    fn flush_queue(&self) -> io::Result<()> {
        let mut spent = Spent::new();
        let flushed = self.pipe.with(|pipe| Some(pipe.as_mut()?.flush(&self.reactor, &mut spent)));
        drop(spent);
        match flushed {
            Some(FlushOutcome::Lost(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

impl SinkPort for FdSink {
    fn key(&self) -> Option<Key> {
        self.pipe.with(|pipe| Some(pipe.as_ref()?.key()))
    }

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
            // If the poller lacks memory, the forwarding stands still until the source ends.
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

impl EventHandler for FdSink {
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
}

impl OnEnd for FdSink {
    fn dropped(self: Rc<Self>, _: &mut Vec<Box<dyn Outlasting>>) {
        if let Some(forward) = self.forward.with(Option::take) {
            forward.abandon();
        }
    }
}
