//! What a forwarding came to, in a form that can be compared.

use std::cell::Cell;
use std::io;

/// The bytes moved, or those and why no more were.
pub(crate) type Result = std::result::Result<u64, (u64, io::ErrorKind)>;
/// Where a result is put.
pub(crate) type Slot = Cell<Option<Result>>;

pub(crate) fn outcome(moved: u64, result: io::Result<()>) -> Result {
    result.map(|()| moved).map_err(|error| (moved, error.kind()))
}
