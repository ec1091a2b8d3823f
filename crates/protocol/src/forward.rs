//! Where a child's output is moved to without passing through the program: [`Target`].

use crate::{ChildFd, Process};
use std::io;
use std::os::fd::OwnedFd;

/// Names where [`Process::forward`] moves bytes to.
///
/// # Examples
///
/// ```
/// use procession_protocol::{FakeProcess, ProcessProtocol, Target};
/// use std::fs::File;
///
/// struct Quiet;
/// impl ProcessProtocol for Quiet {}
///
/// let fake = FakeProcess::new(Quiet);
/// let stdin_of_another = Target::child(fake.process(), 0);
/// let file = Target::fd(File::open("/dev/null")?);
/// # drop((stdin_of_another, file));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Target {
    /// A descriptor of a child that the parent writes.
    Child(Process, ChildFd),
    /// A socket, a pipe or a file, which is the forwarding's from now on.
    Fd(OwnedFd),
}

impl Target {
    /// A descriptor of a child that the parent writes, its stdin for instance.
    ///
    /// What was queued for it before goes first. It is closed when the source ends.
    pub fn child(process: &Process, fd: impl Into<ChildFd>) -> Self {
        Self::Child(process.clone(), fd.into())
    }

    /// A socket, a pipe or a file; it is set to non-blocking, and closed when the source ends.
    pub fn fd(fd: impl Into<OwnedFd>) -> Self {
        Self::Fd(fd.into())
    }
}

/// Says why a forwarding ended before its source did.
#[derive(Debug, thiserror::Error)]
#[error("forwarding ended after {moved} bytes")]
#[non_exhaustive]
pub struct ForwardError {
    /// The bytes that the target has taken.
    pub moved: u64,
    /// What failed: `BrokenPipe` where the target's reader has gone.
    pub source: io::Error,
}

impl ForwardError {
    /// Creates an error, for transports.
    pub fn new(moved: u64, source: impl Into<io::Error>) -> Self {
        Self { moved, source: source.into() }
    }
}

/// Keeps the kind.
impl From<ForwardError> for io::Error {
    fn from(error: ForwardError) -> Self {
        Self::new(error.source.kind(), error)
    }
}
