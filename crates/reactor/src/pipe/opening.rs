//! How a descriptor becomes a pipe of the reactor.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use procession_core::driver::{Direction, PipeGrowth};

use super::outcome::OpenError;
use super::writer::Writer;
use super::{Pipe, Reader};
use crate::handle::{EventHandler, Handle};
use crate::readiness::Interest;
use crate::store::sources::Key;

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
        let interest = Interest::of(reads(direction), false, writes(direction));
        match reactor.io().add(fd, interest, handler, token) {
            Ok(key) => Ok(Self::new(key, interest, direction)),
            Err((OpenError { error, fd: Some(fd) }, handler))
                if error.raw_os_error() == Some(libc::EPERM) =>
            {
                let key = reactor.io().add_source(fd, Interest::PAUSED, handler, token)?;
                Ok(Self { always_ready: true, ..Self::new(key, Interest::PAUSED, direction) })
            }
            Err((error, _handler)) => Err(error),
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
    /// Too many sources, or `NotConnected` if the reactor is gone. [`OpenError`] gives the descriptor
    /// back as in [`open`](Self::open).
    pub fn open_for_writing(
        reactor: &Handle,
        fd: OwnedFd,
        handler: Rc<dyn EventHandler>,
        token: u32,
    ) -> Result<Self, OpenError> {
        let key = reactor.io().add_source(fd, Interest::PAUSED, handler, token)?;
        Ok(Self::new(key, Interest::PAUSED, Direction::Write))
    }

    fn new(key: Key, interest: Interest, direction: Direction) -> Self {
        Self {
            key,
            interest,
            always_ready: false,
            reader: reads(direction).then_some(Reader { paused: false, bulk: false }),
            writer: writes(direction).then(|| Box::new(Writer::new())),
            growth: PipeGrowth::never(),
        }
    }
}

fn reads(direction: Direction) -> bool {
    direction != Direction::Write
}

fn writes(direction: Direction) -> bool {
    direction != Direction::Read
}
