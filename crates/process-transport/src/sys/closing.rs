//! How a child closes the descriptors that it must not have.

/// How a child closes the numbers that it must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CloseOptions {
    /// The child marks numbers from here on close-on-exec, and closes those below.
    pub(super) marked_from: Option<u32>,
    /// Do it without `close_range(2)`.
    pub(super) is_plain: bool,
}
