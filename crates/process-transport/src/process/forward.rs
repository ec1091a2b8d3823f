//! Moving a child's output on without looking at it: what of a child is the source of a forwarding.
//!
//! The mechanism is the reactor's ([`procession_reactor::forward`]), which knows this end by its port.

use super::Transport;
use super::leftovers::Leftovers;
use procession_core::Deferred;
use procession_protocol::{ChildFd, ForwardError, Target};
use procession_reactor::driver::Drive;
use procession_reactor::forward::{Forward, Interrupted, OwnFd, Port, SinkPort, SourcePort};
use procession_reactor::pipe::ReadEvent;
use procession_reactor::{Handle, Key};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};

/// Begins to move what the child writes to `fd`.
pub(super) fn forward(
    source: &Rc<Transport>,
    fd: ChildFd,
    target: Target,
) -> Deferred<u64, ForwardError> {
    begin(source, fd, target)
        .unwrap_or_else(|error| Deferred::ready(Err(ForwardError::new(0, error))))
}

fn begin(
    source: &Rc<Transport>,
    fd: ChildFd,
    target: Target,
) -> io::Result<Deferred<u64, ForwardError>> {
    if !source.state.with(|state| state.can_forward(fd)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sink = sink_of(source.driver.reactor(), target)?;
    let source_end = Rc::new(SourceEnd { transport: Rc::downgrade(source), fd });
    let (promise, deferred) = Deferred::new();
    Forward::start(source.driver.reactor(), source_end, sink, move |result| {
        let failed = |Interrupted { moved, error, .. }| ForwardError::new(moved, error);
        promise.complete(result.map_err(failed));
    })?;
    Ok(deferred)
}

/// The port of a target, whichever transport's it is.
fn sink_of(reactor: &Handle, target: Target) -> io::Result<Rc<dyn SinkPort>> {
    let port = match target {
        Target::Child(process, fd) => process.sink_port(fd),
        Target::Fd(fd) => return Ok(OwnFd::open(reactor, nonblocking(fd)?)?),
        _ => None,
    };
    let port = port.and_then(|port| port.downcast::<Rc<dyn SinkPort>>().ok());
    Ok(*port.ok_or(io::ErrorKind::Unsupported)?)
}

fn nonblocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
    Ok(fd)
}

/// A readable end, as a forwarding has it.
struct SourceEnd {
    transport: Weak<Transport>,
    fd: ChildFd,
}

impl SourceEnd {
    fn with<R>(&self, call: impl FnOnce(&Transport) -> R) -> Option<R> {
        Some(call(&*self.transport.upgrade()?))
    }
}

impl Port for SourceEnd {
    fn key(&self) -> Option<Key> {
        self.with(|source| source.state.with(|state| state.key(self.fd))).flatten()
    }

    fn on_moved(&self, bytes: usize) {
        self.with(|source| {
            source
                .state
                .with(|state| state.on_source_moved(source.driver.reactor(), self.fd, bytes));
        });
    }
}

impl SourcePort for SourceEnd {
    fn begin(&self, forward: &Rc<Forward>) -> bool {
        let paused = self.with(|source| {
            source.state.with(|state| {
                state.set_forward(self.fd, Rc::clone(forward));
                state.is_paused(self.fd)
            })
        });
        paused.unwrap_or(false)
    }

    fn read(&self) -> ReadEvent {
        let read = self.with(|source| {
            source.state.with(|state| state.read_any(source.driver.reactor(), self.fd))
        });
        read.flatten().unwrap_or(ReadEvent::End)
    }

    fn watch(&self, watched: bool) {
        self.with(|source| {
            source
                .state
                .with(|state| state.watch_source(source.driver.reactor(), self.fd, watched));
        });
    }

    fn on_read_to_end(&self) {
        self.with(|source| source.state.with(|state| state.lifecycle.on_not_held(self.fd)));
    }

    /// The loss of the end, or of a socketpair's reading alone, is due.
    fn close_source(&self, ended: bool) {
        let Some(source) = self.transport.upgrade() else { return };
        let mut left = Leftovers::default();
        let over = source.state.with(|state| {
            let over = state.take_forward(self.fd);
            if over.is_some() && ended {
                state.on_read_end(source.driver.reactor(), self.fd, &mut left);
            } else if over.is_some() {
                state.close(source.driver.reactor(), self.fd, &mut left);
            }
            over
        });
        left.settle();
        drop(over);
        source.queue_flush();
    }
}
