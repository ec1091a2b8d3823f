//! The error of a whole dialogue with a child, from its start to its end.

use std::ffi::OsString;
use std::io;

use procession_core::WriteError;
use procession_core::driver::debug_by_message;
use procession_protocol::ProcessTerminated;

use crate::error::SpawnError;

/// An error of a dialogue with a child, from its start to its end.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// The child could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The child takes no more input.
    #[error("cannot write to {program:?}: {error}")]
    Write {
        /// The program, as the command names it.
        program: OsString,
        /// Why not.
        error: WriteError,
    },
    /// The child did not exit with status 0.
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

debug_by_message!(ChildError);

impl ChildError {
    /// Returns the system's error if the child could not be started.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Spawn(error) => Some(error.io_error()),
            _ => None,
        }
    }

    /// Returns the kind of this error as an [`io::Error`]; for the end of a child, `Other`.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Spawn(error) => error.kind(),
            Self::Write { error, .. } => error.kind(),
            Self::Terminated { .. } => io::ErrorKind::Other,
            Self::ReactorGone { .. } => io::ErrorKind::NotConnected,
        }
    }
}

/// Keeps the kind, and the error number if there is one; otherwise the message.
impl From<ChildError> for io::Error {
    fn from(error: ChildError) -> Self {
        match error {
            ChildError::Spawn(error) => error.into(),
            error => Self::new(error.kind(), error),
        }
    }
}
