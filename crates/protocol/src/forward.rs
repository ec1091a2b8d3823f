//! How moving a child's output on, without passing it through the program, fails: [`ForwardError`].

use std::io;

/// Says why a forwarding ended before its source did.
#[derive(Debug, thiserror::Error)]
#[error("forwarding ended after {moved} bytes")]
#[non_exhaustive]
pub struct ForwardError {
    /// The bytes that the target has taken.
    pub moved: u64,
    /// What failed: `BrokenPipe` where the target's reader has gone.
    pub source: io::Error,
}

impl ForwardError {
    /// Creates an error, for transports.
    pub fn new(moved: u64, source: impl Into<io::Error>) -> Self {
        Self { moved, source: source.into() }
    }
}

/// Keeps the kind.
impl From<ForwardError> for io::Error {
    fn from(error: ForwardError) -> Self {
        Self::new(error.source.kind(), error)
    }
}
