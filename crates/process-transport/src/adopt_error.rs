//! The error for a child that a reactor could not take.

use std::error::Error;
use std::fmt;
use std::io;

use procession_core::driver::Reason;

use crate::spawned::Spawned;

/// A running child that the reactor could not take; the error returns it unchanged.
///
/// If it is dropped with the error it becomes an orphan, like any dropped [`Spawned`].
#[derive(Debug)]
pub struct AdoptError {
    // Boxed because it is large, and the error is rare.
    spawned: Box<Spawned>,
    reason: io::Error,
}

impl AdoptError {
    pub(crate) fn new(spawned: Spawned, reason: io::Error) -> Self {
        Self { spawned: Box::new(spawned), reason }
    }

    /// Returns the reason: the reactor is gone (`NotConnected`), or cannot watch more descriptors
    /// (`epoll_ctl(2)`: ENOSPC).
    pub fn io_error(&self) -> &io::Error {
        &self.reason
    }

    /// Returns the kind of [`io_error`](Self::io_error).
    pub fn kind(&self) -> io::ErrorKind {
        self.reason.kind()
    }

    /// Returns the child.
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

/// The source is that of the reason, because the message shows the reason itself.
impl Error for AdoptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}

/// Keeps the kind, and the error number if there is one, else the message. The child becomes an
/// orphan.
impl From<AdoptError> for io::Error {
    fn from(error: AdoptError) -> Self {
        let text = error.to_string();
        Reason::into_io_error(error.kind(), error.reason.raw_os_error(), text)
    }
}
