//! [`Found`]: the result of a wait.

use std::borrow::Cow;

use bytes::Bytes;

/// What [`Dialogue::expect`](crate::Dialogue::expect) has found. The next wait begins after it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The place of the pattern in the list of [`expect_any`](crate::Dialogue::expect_any), from 0.
    pub which: usize,
    /// What came before the match and after the previous one.
    pub before: Bytes,
    /// The match: a line without its end, and nothing for the end of the output and for quiet.
    pub matched: Bytes,
    pub(super) groups: Vec<Option<Bytes>>,
}

impl Found {
    /// Returns the match as text. Bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.matched)
    }

    /// Returns a group of a regular expression: 0 is the whole match of the expression, the others are
    /// the parentheses from left to right. Returns `None` if the group had no part in the match.
    pub fn capture(&self, group: usize) -> Option<Bytes> {
        self.groups.get(group).cloned().flatten()
    }
}
