//! Where a blocking wait puts what it reads.

use procession_protocol::ChildFd;

/// Receives what a child writes while a thread waits for the child.
///
/// The module `driver` is for other layers of procession; the version number promises nothing about
/// it.
pub trait Sink {
    /// Takes the data of one read, which are never empty. The sink may take the vector itself;
    /// otherwise the wait uses it again.
    fn on_data(&mut self, fd: ChildFd, data: &mut Vec<u8>);

    /// Returns whether the wait fails if the system refuses to read an output.
    fn needs_all(&self) -> bool {
        false
    }
}

/// Drops everything.
pub(super) struct Discarded;

impl Sink for Discarded {
    fn on_data(&mut self, _: ChildFd, _: &mut Vec<u8>) {}
}
