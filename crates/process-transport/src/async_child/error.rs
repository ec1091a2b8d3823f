//! What can go wrong between the start of a child and the end of its dialogue.

use crate::error::SpawnError;
use procession_core::WriteError;
use procession_protocol::ProcessTerminated;
use std::io;

/// What can go wrong in a whole dialogue with a child.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// It could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It takes no more input.
    #[error("cannot write to the child: {0}")]
    Write(WriteError),
    /// It did not exit with status 0.
    #[error(transparent)]
    Terminated(#[from] ProcessTerminated),
    /// The reactor was dropped before the child's end.
    #[error("cannot wait for the child: the reactor is gone")]
    ReactorGone,
}

impl ChildError {
    /// Why it could not be started, as the system answered.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Spawn(error) => Some(error.io_error()),
            _ => None,
        }
    }

    /// The kind that it has as an [`io::Error`]: `Other` for the end of a child.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Spawn(error) => error.kind(),
            Self::Write(error) => error.kind(),
            Self::Terminated(_) => io::ErrorKind::Other,
            Self::ReactorGone => io::ErrorKind::NotConnected,
        }
    }
}

impl From<WriteError> for ChildError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

/// Keeps the kind, and the number or else the message.
impl From<ChildError> for io::Error {
    fn from(error: ChildError) -> Self {
        match error {
            ChildError::Spawn(error) => error.into(),
            error => Self::new(error.kind(), error),
        }
    }
}
