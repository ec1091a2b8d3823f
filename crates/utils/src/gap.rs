//! [`Gap`]: a part of an output that was not kept.

/// A part of an output that was read and not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Where the part is missing in the kept output, in bytes from the beginning.
    pub at: usize,
    /// The length of the missing part.
    pub skipped_bytes: u64,
}
