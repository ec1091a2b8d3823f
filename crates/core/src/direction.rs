//! Which ways data goes through a descriptor.

/// Which ways data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direction {
    /// From the descriptor to us.
    Read,
    /// From us to the descriptor.
    Write,
    /// Sockets and terminals.
    Both,
}
