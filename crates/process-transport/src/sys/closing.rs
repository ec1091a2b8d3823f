//! How a child gets rid of the descriptors that it is not to have.

/// What becomes of the numbers that a child is not to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    /// From here on they are marked close-on-exec, below they are closed.
    pub(super) marked_from: Option<u32>,
    /// Without `close_range`.
    pub(super) is_plain: bool,
}
