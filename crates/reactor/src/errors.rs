//! The errors of a reactor that does not run, or is gone.

use std::io;

use thiserror::Error;

/// [`Handle::try_stop`](crate::Handle::try_stop) found that the reactor does not run.
#[doc(alias = "ReactorNotRunning")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("cannot stop the reactor: it is not running")]
pub struct NotRunning;

impl From<NotRunning> for io::Error {
    fn from(error: NotRunning) -> Self {
        Self::new(io::ErrorKind::NotConnected, error)
    }
}

/// Returns the error of every call that needs the poller once the reactor is gone.
pub(crate) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the reactor is gone")
}
