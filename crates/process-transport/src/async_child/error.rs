//! What can go wrong between the start of a child and the end of its dialogue.

use crate::error::SpawnError;
use procession_core::WriteError;
use procession_protocol::ProcessTerminated;
use std::ffi::OsString;
use std::io;

/// What can go wrong in a whole dialogue with a child.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// It could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It takes no more input.
    #[error("cannot write to {program:?}: {error}")]
    Write {
        /// The program, as the command names it.
        program: OsString,
        /// Why not.
        error: WriteError,
    },
    /// It did not exit with status 0.
    #[error("{program:?} {reason}")]
    Terminated {
        /// The program, as the command names it.
        program: OsString,
        /// How it ended.
        reason: ProcessTerminated,
    },
    /// The reactor was dropped before the child's end.
    #[error("cannot wait for {program:?}: the reactor is gone")]
    ReactorGone {
        /// The program, as the command names it.
        program: OsString,
    },
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
            Self::Write { error, .. } => error.kind(),
            Self::Terminated { .. } => io::ErrorKind::Other,
            Self::ReactorGone { .. } => io::ErrorKind::NotConnected,
        }
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
