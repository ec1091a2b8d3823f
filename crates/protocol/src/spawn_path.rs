//! The ways of starting a child, as a transport reports them.

use std::fmt;

/// The way in which a child was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpawnPath {
    /// The child shared the parent's memory and descriptor table until the exec.
    SharedFiles,
    /// The child shared the parent's memory until the exec, with a descriptor table of its own.
    SharedMemory,
    /// The child was a copy of the parent until the exec.
    Fork,
}

impl fmt::Display for SpawnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SharedFiles => "shared files",
            Self::SharedMemory => "shared memory",
            Self::Fork => "fork",
        })
    }
}
