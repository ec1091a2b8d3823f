//! What [`run_all()`](super::run_all) reports: the progress, each result, and the first error.

use std::error::Error;
use std::fmt;
use std::io;

use procession_core::Failed;
use procession_core::driver::debug_by_message;

use crate::{Outcome, OutputError};

/// The result of one of many programs.
pub(crate) type RunResult = Result<Outcome, Failed<OutputError>>;

/// The progress of a [`RunAll`](super::RunAll): the other four numbers add up to the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Programs that gave an outcome.
    pub done: usize,
    /// Programs that are running.
    pub running: usize,
    /// Programs that gave an error.
    pub failed: usize,
    /// Programs that have not started.
    pub waiting: usize,
    /// All programs.
    pub total: usize,
}

/// The first error of [`RunAll::all_or_first_error`](super::RunAll::all_or_first_error). It prints as the inner error does, and has
/// the same source.
#[non_exhaustive]
pub struct RunAllError {
    /// The index of the program, counted from 0.
    pub index: usize,
    /// Why the program has no outcome.
    pub error: Failed<OutputError>,
}

debug_by_message!(RunAllError);

impl fmt::Display for RunAllError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for RunAllError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Converts the inner error.
impl From<RunAllError> for io::Error {
    fn from(error: RunAllError) -> Self {
        error.error.into()
    }
}

/// Returns all outcomes, or the error that stopped the batch: the only one that is not a
/// cancellation.
pub(super) fn outcomes(results: Vec<RunResult>) -> Result<Vec<Outcome>, RunAllError> {
    let mut outcomes = Vec::with_capacity(results.len());
    let mut cancelled = None;
    for (index, result) in results.into_iter().enumerate() {
        match result {
            Ok(outcome) => outcomes.push(outcome),
            Err(Failed::Cancelled) => {
                cancelled.get_or_insert(RunAllError { index, error: Failed::Cancelled });
            }
            Err(error) => return Err(RunAllError { index, error }),
        }
    }
    cancelled.map_or(Ok(outcomes), Err)
}
