//! The progress of an end after the limit on descendants has passed.

/// The records of one end; see `draining.rs`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Draining {
    /// Whether another process held it when the limit passed.
    pub(super) was_held: Option<bool>,
    /// How many more bytes to read before it is closed.
    pub(super) left: Option<usize>,
}
