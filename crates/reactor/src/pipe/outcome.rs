//! The results of a pipe's reads, flushes and events.

use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use bytes::Bytes;
use procession_core::driver::Reason;

#[cfg(doc)]
use super::Pipe;

/// A descriptor that the reactor did not take.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenError {
    /// The reason.
    pub error: io::Error,
    /// The descriptor. `None` if the reactor was gone and the descriptor was closed.
    pub fd: Option<OwnedFd>,
}

impl OpenError {
    /// Returns the reason.
    pub fn io_error(&self) -> &io::Error {
        &self.error
    }

    /// Returns the kind of the reason.
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reactor cannot take ")?;
        match &self.fd {
            Some(fd) => write!(f, "descriptor {}", fd.as_raw_fd())?,
            None => f.write_str("the descriptor")?,
        }
        write!(f, ": {}", Reason(&self.error))
    }
}

/// The source is that of the reason, because the text already contains the reason itself.
impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self { error, fd: None }
    }
}

/// Keeps the reason only. The descriptor is closed.
impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        error.error
    }
}

/// The result of one read. A [`Pipe`] returns data or says why there are none. A
/// [`Machine`](crate::driver::Machine) also says what it did with data that are not due now.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadEvent {
    /// Some bytes, never empty. From a machine: they are due now, before anything else.
    Data(Bytes),
    /// The machine has queued this many bytes. They are due after everything that was due before.
    Queued(usize),
    /// Data that have no receiver any more. Drop them where nothing is borrowed.
    Refused(Bytes),
    /// There are no data now.
    WouldBlock,
    /// There will be no more data.
    End,
    /// The descriptor failed.
    Lost(io::Error),
}

/// The result of a flush: whether data are left to write.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum FlushOutcome {
    /// The queue is empty. More data may come.
    Idle,
    /// The descriptor takes no more now. [`Pipe::on_ready`] reports when it does.
    Blocked,
    /// The queue is empty and closed. The descriptor may be closed, or shut down for writing.
    Done,
    /// Nobody reads the descriptor any more, or it failed.
    Lost(io::Error),
}

/// The meaning of an event for a pipe. Several fields may be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PipeReady {
    /// The reader is open, not paused, and a read will not block.
    pub readable: bool,
    /// A blocked writer may continue: flush it.
    pub unblocked: bool,
    /// An idle writer's peer has gone: nobody will read written data. Reported once.
    pub peer_gone: bool,
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn the_text_says_what_failed_and_why() {
        let fd = OwnedFd::from(File::open("/dev/null").unwrap());
        let number = fd.as_raw_fd();
        let refused = OpenError { error: io::Error::from_raw_os_error(28), fd: Some(fd) };
        let text = format!("the reactor cannot take descriptor {number}: No space left on device");
        assert_eq!(refused.to_string(), text);
        assert!(refused.source().is_none());
        assert_eq!(io::Error::from(refused).raw_os_error(), Some(28));
    }
}
