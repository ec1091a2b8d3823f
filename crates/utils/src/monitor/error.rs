//! [`MonitorError`]: why a monitor does not run, or what went wrong for good.

use std::io;

use bytes::Bytes;
use procession_core::driver::{Reason, debug_by_message};

use crate::message::Tail;
use crate::run_setup::RunSetup;

/// Why a monitor cannot run, why a request failed, or which program failed for good.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// A name is empty, is longer than 100 bytes, or has a control character.
    #[error(
        "{name:?} is no name for a program: a name has 1 to 100 bytes and no control characters"
    )]
    #[non_exhaustive]
    Name {
        /// The name.
        name: String,
    },
    /// Two programs have the same name.
    #[error("two programs have the name {program:?}")]
    #[non_exhaustive]
    Duplicate {
        /// The name.
        program: String,
    },
    /// A program comes after one that does not exist.
    #[error("{program:?} comes after {after:?}, which is no program of this monitor")]
    #[non_exhaustive]
    UnknownDependency {
        /// The program.
        program: String,
        /// What it comes after.
        after: String,
    },
    /// Programs come after each other in a circle.
    #[error("these programs come after each other in a circle: {}", .programs.join(" after "))]
    #[non_exhaustive]
    Cycle {
        /// The programs, each after the next one; the last is the first again.
        programs: Vec<String>,
    },
    /// The policy of a program contradicts itself.
    #[error("the policy of {program:?} is wrong: {fault}")]
    #[non_exhaustive]
    Policy {
        /// The program.
        program: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// The monitor has no program of this name.
    #[error("the monitor has no program {program:?}")]
    #[non_exhaustive]
    Unknown {
        /// The name.
        program: String,
    },
    /// A program has failed, and its policy does not start it again.
    #[error("{program:?} has failed for good: {reason}{}", Tail::of(.tail, None, RunSetup::default()))]
    #[non_exhaustive]
    Failed {
        /// The program.
        program: String,
        /// How it ended, or why it did not start.
        reason: String,
        /// The last 4 KiB of both outputs.
        tail: Bytes,
    },
    /// The monitor is stopping, has stopped, or its reactor is gone.
    #[error("the monitor has stopped")]
    Stopped,
    /// The system refused what a program needs around a monitor, such as a reactor. The monitor itself
    /// never fails so; with this variant, `main` needs no other error.
    #[error("cannot run the monitor: {}", Reason(.0))]
    Io(io::Error),
}

debug_by_message!(MonitorError);

impl MonitorError {
    /// Returns the name of the program that the error is about, if it is about one.
    pub fn program(&self) -> Option<&str> {
        match self {
            Self::Name { name: program }
            | Self::Duplicate { program }
            | Self::UnknownDependency { program, .. }
            | Self::Policy { program, .. }
            | Self::Unknown { program }
            | Self::Failed { program, .. } => Some(program),
            Self::Cycle { programs } => programs.first().map(String::as_str),
            Self::Stopped | Self::Io(_) => None,
        }
    }

    /// Returns the kind of this error as an [`io::Error`].
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Name { .. }
            | Self::Duplicate { .. }
            | Self::UnknownDependency { .. }
            | Self::Cycle { .. }
            | Self::Policy { .. } => io::ErrorKind::InvalidInput,
            Self::Unknown { .. } => io::ErrorKind::NotFound,
            Self::Failed { .. } => io::ErrorKind::Other,
            Self::Stopped => io::ErrorKind::NotConnected,
            Self::Io(error) => error.kind(),
        }
    }
}

impl From<io::Error> for MonitorError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Keeps the kind, and either the OS error number or the message.
impl From<MonitorError> for io::Error {
    fn from(error: MonitorError) -> Self {
        match error {
            MonitorError::Io(error) => error,
            error => Self::new(error.kind(), error),
        }
    }
}
