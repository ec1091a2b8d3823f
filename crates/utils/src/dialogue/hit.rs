//! [`Hit`]: a match in the bytes of a wait.

use std::ops::Range;

/// A match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    /// How many bytes had to come until the match was certain. This does not depend on the chunks.
    pub(super) decided: usize,
    pub(super) matched: Range<usize>,
    /// Where the next wait begins.
    pub(super) consumed: usize,
    /// The groups of a regular expression; the first is its match.
    pub(super) groups: Vec<Option<Range<usize>>>,
}

impl Hit {
    pub(super) fn of(matched: Range<usize>, consumed: usize) -> Self {
        Self { decided: consumed, matched, consumed, groups: Vec::new() }
    }
}
