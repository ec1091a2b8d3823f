//! The descriptors that a connection consists of.

/// The descriptors that a connection consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionKind {
    /// One descriptor for both input and output.
    Socket,
    /// Two descriptors: an input and an output.
    Pair,
}
