//! How a child gets rid of the descriptors that it must not have.

/// What happens to the numbers that a child must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CloseOptions {
    /// Numbers from here on are marked close-on-exec; those below are closed.
    pub(super) marked_from: Option<u32>,
    /// Without `close_range`.
    pub(super) is_plain: bool,
}
