//! How a descriptor becomes a pipe of the reactor.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use procession_core::driver::{Direction, PipeGrowth};

use super::outcome::OpenError;
use super::writer::Writer;
use super::{Pipe, Reader};
use crate::handle::{EventHandler, Handle};
use crate::readiness::Interest;

impl Pipe {
    /// Hands a descriptor, which must be `O_NONBLOCK`, to the reactor.
    ///
    /// `handler` receives the descriptor's events under `token`, and passes them to
    /// [`on_ready`](Self::on_ready). epoll refuses regular files and `/dev/null`. The pipe accepts
    /// such a descriptor, which then [is always ready](Self::is_always_ready).
    ///
    /// # Errors
    ///
    /// The poller's errors. [`OpenError`] gives the descriptor back, except if the reactor is gone
    /// (`NotConnected`), which closes it.
    pub fn open(
        reactor: &Handle,
        fd: OwnedFd,
        direction: Direction,
        handler: Rc<dyn EventHandler>,
        token: u32,
    ) -> Result<Self, OpenError> {
        let mut pipe = Self::unwatched(reactor, fd, direction, handler, token)?;
        match pipe.watch(reactor) {
            Ok(()) => Ok(pipe),
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                pipe.always_ready = true;
                Ok(pipe)
            }
            Err(error) => Err(OpenError { error, fd: reactor.io().take_fd(pipe.key) }),
        }
    }

    /// Does the same for a pipe that is only written, but leaves it out of the poller until the first
    /// [`flush`](Self::flush). So a pipe that is closed before, as the input of a child often is, never
    /// enters the poller.
    ///
    /// The caller flushes it before the loop waits. If the poller refuses it then, it is
    /// [lost](crate::driver::FlushOutcome::Lost).
    ///
    /// # Errors
    ///
    /// Too many sources, or `NotConnected` if the reactor is gone. The descriptor is closed.
    pub fn open_for_writing(
        reactor: &Handle,
        fd: OwnedFd,
        handler: Rc<dyn EventHandler>,
        token: u32,
    ) -> io::Result<Self> {
        Self::unwatched(reactor, fd, Direction::Write, handler, token)
    }

    /// Hands the descriptor to the reactor, and not to the poller.
    fn unwatched(
        reactor: &Handle,
        fd: OwnedFd,
        direction: Direction,
        handler: Rc<dyn EventHandler>,
        token: u32,
    ) -> io::Result<Self> {
        let reads = matches!(direction, Direction::Read | Direction::Both);
        let writes = matches!(direction, Direction::Write | Direction::Both);
        Ok(Self {
            key: reactor.io().add_source(fd, Interest::PAUSED, handler, token)?,
            interest: Interest::PAUSED,
            always_ready: false,
            reader: reads.then_some(Reader { paused: false, bulk: false }),
            writer: writes.then(|| Box::new(Writer::new())),
            growth: PipeGrowth::never(),
        })
    }
}
