//! A child that a reactor could not take.

use crate::spawned::Spawned;
use procession_core::driver::Reason;
use std::error::Error;
use std::fmt;
use std::io;

/// A child that runs and that the reactor did not take; it comes back as it was.
///
/// Dropped with the error it is an orphan, as any [`Spawned`] that is dropped.
#[derive(Debug)]
pub struct AdoptError {
    // Large, and seldom there.
    spawned: Box<Spawned>,
    reason: io::Error,
}

impl AdoptError {
    pub(crate) fn new(spawned: Spawned, reason: io::Error) -> Self {
        Self { spawned: Box::new(spawned), reason }
    }

    /// Why: the reactor is gone (`NotConnected`), or cannot watch more (`epoll_ctl(2)`: ENOSPC).
    pub fn io_error(&self) -> &io::Error {
        &self.reason
    }

    /// The kind of [`io_error`](Self::io_error).
    pub fn kind(&self) -> io::ErrorKind {
        self.reason.kind()
    }

    /// The child.
    pub fn into_spawned(self) -> Spawned {
        *self.spawned
    }

    pub(crate) fn into_parts(self) -> (Spawned, io::Error) {
        (*self.spawned, self.reason)
    }
}

impl fmt::Display for AdoptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pid = self.spawned.pid();
        write!(f, "the reactor cannot take process {pid}: {}", Reason(&self.reason))
    }
}

/// The source of the reason, which is printed already.
impl Error for AdoptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}

/// Keeps the kind, and the number or else the message; the child is an orphan then.
impl From<AdoptError> for io::Error {
    fn from(error: AdoptError) -> Self {
        let text = error.to_string();
        Reason::into_io_error(error.kind(), error.reason.raw_os_error(), text)
    }
}
