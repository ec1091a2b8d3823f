//! What a [`RunState`](super::RunState) asks of its driver.

use procession_protocol::ExitReason;

use crate::{Ended, Outcome, OutputError, Partial};

/// What a driver has to do.
#[derive(Debug)]
pub(crate) enum RunStep {
    /// Terminate the program with the grace of the run, and report the end of the termination.
    Terminate,
    /// Close all ends of the program.
    CloseAll,
    /// Give the result.
    Settle(Result<Outcome, OutputError>),
    /// Close the input behind what is written already, give the error, and let the program run on.
    Release(ReleasedRun),
    /// Report the end of a program that was released.
    ReportEnd(ExitReason),
}

/// An error that lets the program run on.
#[derive(Debug)]
pub(crate) struct ReleasedRun {
    command: String,
    outcome: Box<Partial>,
}

impl ReleasedRun {
    pub(super) fn new(command: String, outcome: Partial) -> Self {
        Self { command, outcome: Box::new(outcome) }
    }

    /// Returns the error, with the end of the program.
    pub(crate) fn into_error(self, ended: Ended) -> OutputError {
        OutputError::UnexpectedStderr { command: self.command, outcome: self.outcome, ended }
    }
}
