//! How far an end is once the bound on descendants has passed.

/// What is noted of it; see `draining.rs`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Draining {
    /// Whether somebody held it when the bound passed.
    pub(super) was_held: Option<bool>,
    /// It is to be closed after so many bytes more.
    pub(super) left: Option<usize>,
}
