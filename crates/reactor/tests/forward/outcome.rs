//! The outcome of a forward, in a form that tests can compare.

use std::cell::Cell;
use std::io;

/// The number of moved bytes; on failure, that number and the error.
pub(crate) type Outcome = Result<u64, (u64, io::ErrorKind)>;
/// The place for the outcome.
pub(crate) type OutcomeCell = Cell<Option<Outcome>>;

pub(crate) fn outcome(moved: u64, result: io::Result<()>) -> Outcome {
    result.map(|()| moved).map_err(|error| (moved, error.kind()))
}
