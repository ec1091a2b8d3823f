//! [`Retry`]: how often a run starts its program, and how long after a failure.

use std::io;
use std::time::Duration;

use procession_process_transport::{SpawnError, Step};

use crate::OutputError;

/// What is left of the attempts of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retry {
    /// The attempts that are left, with the next one.
    pub(super) attempts: u32,
    /// The pause after the next attempt, if that fails.
    pub(super) pause: Duration,
}

impl Retry {
    /// One attempt.
    pub(super) const ONCE: Self = Self { attempts: 1, pause: Duration::ZERO };

    /// Returns whether no further attempt follows the next one.
    #[cfg(feature = "reactor")]
    pub(super) fn is_once(self) -> bool {
        self.attempts == 1
    }
}

pub(super) fn refused(why: &'static str) -> OutputError {
    let reason = io::Error::new(io::ErrorKind::InvalidInput, why);
    OutputError::Spawn(SpawnError::new(Step::Validate, "retry", reason))
}

/// Returns whether another attempt may end otherwise. After some errors the program still runs, or
/// nothing can run any more.
pub(super) fn is_worth_another(error: &OutputError) -> bool {
    match error {
        OutputError::Spawn(error) => error.step() != Step::Validate,
        OutputError::Failed { .. }
        | OutputError::Signalled { .. }
        | OutputError::Lost { .. }
        | OutputError::TimedOut { .. }
        | OutputError::Unreachable { .. }
        | OutputError::ConnectionLost { .. } => true,
        _ => false,
    }
}
