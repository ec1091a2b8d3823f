//! A child that a reactor could not take.

use crate::spawned::Spawned;
use std::fmt;
use std::io;

/// A child that runs and that the reactor did not take; it comes back as it was.
///
/// Dropped with the error it is an orphan, as any [`Spawned`] that is dropped.
#[derive(Debug, thiserror::Error)]
pub struct AdoptError {
    // Large, and seldom there.
    spawned: Box<Spawned>,
    source: io::Error,
}

impl AdoptError {
    pub(crate) fn new(spawned: Spawned, source: io::Error) -> Self {
        Self { spawned: Box::new(spawned), source }
    }

    /// Why: the reactor is gone (`NotConnected`), or cannot watch more (`epoll_ctl(2)`: ENOSPC).
    pub fn io_error(&self) -> &io::Error {
        &self.source
    }

    /// The child.
    pub fn into_spawned(self) -> Spawned {
        *self.spawned
    }

    pub(crate) fn into_parts(self) -> (Spawned, io::Error) {
        (*self.spawned, self.source)
    }
}

impl fmt::Display for AdoptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the reactor cannot take process {}", self.spawned.pid())
    }
}

/// Keeps the kind.
impl From<AdoptError> for io::Error {
    fn from(error: AdoptError) -> Self {
        Self::new(error.source.kind(), error.to_string())
    }
}
