//! What a pipe says of its reads, flushes and events.

use std::io;
use std::os::fd::OwnedFd;

use bytes::Bytes;
use procession_core::Spent;

#[cfg(doc)]
use super::Pipe;

/// A descriptor that the reactor did not take.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenError {
    /// Why.
    pub error: io::Error,
    /// The descriptor; `None` where the reactor was gone, and it was closed.
    pub fd: Option<OwnedFd>,
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self { error, fd: None }
    }
}

/// The reason alone; the descriptor is closed.
impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        error.error
    }
}

/// What one read gave.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadEvent {
    /// Some bytes, never empty.
    Data(Bytes),
    /// Nothing now.
    WouldBlock,
    /// There will be nothing more.
    End,
    /// The descriptor failed.
    Lost(io::Error),
}

/// What a flush came to.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub struct Flushed {
    /// Whether something is left.
    pub outcome: FlushOutcome,
    /// The chunks that were written, to be dropped where nothing is borrowed.
    pub spent: Spent,
}

/// Whether something is left to write.
#[derive(Debug)]
#[non_exhaustive]
pub enum FlushOutcome {
    /// The queue is empty; more may come.
    Idle,
    /// The descriptor takes no more now; [`Pipe::on_ready`] tells when it does.
    Blocked,
    /// The queue is empty and closed: the descriptor may be closed, or shut down for writing.
    Done,
    /// Nobody reads it any more, or it failed.
    Lost(io::Error),
}

/// What an event means to a pipe. Several may be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PipeReady {
    /// The reader is open, not paused, and a read will not block.
    pub readable: bool,
    /// A blocked writer may go on: flush it.
    pub unblocked: bool,
    /// An idle writer's peer has gone: nothing that is written will be read. Reported once.
    pub peer_gone: bool,
}
