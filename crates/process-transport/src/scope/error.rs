//! The error of everything about a scope.

use std::io;
use std::path::PathBuf;

use procession_core::driver::Reason;

/// Why a [`Scope`](crate::Scope) could not be made, limited or used. It says what failed, on what, and
/// why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// The name is none for a scope; nothing was made.
    #[error("invalid scope name {name:?}: {why}")]
    Name {
        /// The name, as given.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// This program has a scope of that name.
    #[error("cannot make scope {0:?}: this program has one of that name")]
    Exists(String),
    /// A limit, or the number of a process, that cannot be meant; nothing was done.
    #[error("cannot {what} scope {name:?}: {why}")]
    Invalid {
        /// What was tried: a verb, and a preposition if it needs one.
        what: &'static str,
        /// The name of the scope.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The scope's mechanism cannot do it, or the system cannot enforce it.
    #[error("cannot {what} scope {name:?}: {why}")]
    Unsupported {
        /// What was tried: a verb, and a preposition if it needs one.
        what: &'static str,
        /// The name of the scope.
        name: String,
        /// What is missing, and if something helps, what.
        why: String,
    },
    /// The folder is none of a cgroup v2 in which this program may make others.
    #[error("cannot make a scope within {0:?}: {why}", why = .1)]
    Base(PathBuf, String),
    /// The system refused it.
    #[error("cannot {what} scope {name:?}: {reason}", reason = Reason(error))]
    Os {
        /// What was tried: a verb, and a preposition if it needs one.
        what: &'static str,
        /// The name of the scope.
        name: String,
        /// The system's error.
        error: io::Error,
    },
}

impl ScopeError {
    /// Returns the system's error, if the system refused.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Os { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Returns `InvalidInput`, `AlreadyExists`, `Unsupported`, or the kind of the system's error.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Name { .. } | Self::Invalid { .. } => io::ErrorKind::InvalidInput,
            Self::Exists(_) => io::ErrorKind::AlreadyExists,
            Self::Unsupported { .. } | Self::Base(..) => io::ErrorKind::Unsupported,
            Self::Os { error, .. } => error.kind(),
        }
    }
}

/// Keeps the [kind](ScopeError::kind), and the system's error if there is one, else the message.
impl From<ScopeError> for io::Error {
    fn from(error: ScopeError) -> Self {
        match error {
            ScopeError::Os { error, .. } => error,
            error => Self::new(error.kind(), error),
        }
    }
}
