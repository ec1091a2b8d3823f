//! What a connection is made of.

/// Says what a connection is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionKind {
    /// One descriptor that is read and written.
    Socket,
    /// An input, and an output apart.
    Pair,
}
