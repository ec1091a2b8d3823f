//! The directions in which data passes through a descriptor.

/// The directions in which data passes through a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direction {
    /// From the descriptor to this program.
    Read,
    /// From this program to the descriptor.
    Write,
    /// Both: a socket or a terminal.
    Both,
}
