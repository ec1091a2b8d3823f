//! Where bytes are moved to without passing through the program: [`Target`].
//!
//! What makes one of a child stands with the child's handle, and of a connection with the
//! connection's, so that this file knows neither.

use std::any::Any;
use std::fmt;
use std::os::fd::OwnedFd;

/// Names where [`Process::forward`](crate::Process::forward) and
/// [`Transport::forward`](crate::Transport::forward) move bytes to.
///
/// # Examples
///
/// ```
/// use procession_protocol::{FakeConnection, FakeProcess, ProcessProtocol, Protocol, Target};
/// use std::fs::File;
///
/// struct Quiet;
/// impl ProcessProtocol for Quiet {}
/// impl Protocol for Quiet {}
///
/// let child = FakeProcess::new(Quiet);
/// let stdin_of_another = Target::child(child.process(), 0);
/// let connection = FakeConnection::new(Quiet);
/// let peer = Target::connection(connection.transport());
/// let file = Target::fd(File::open("/dev/null")?);
/// # drop((stdin_of_another, peer, file));
/// # Ok::<(), std::io::Error>(())
/// ```
#[non_exhaustive]
pub enum Target {
    /// What some transport writes, as the transports of one loop know it; `None` where that cannot be
    /// moved to, as with a fake.
    #[doc(hidden)]
    Port(Option<Box<dyn Any>>),
    /// A socket, a pipe or a file, which is the forwarding's from now on.
    Fd(OwnedFd),
}

impl Target {
    /// A socket, a pipe or a file; it is set to non-blocking, and closed when the source ends.
    pub fn fd(fd: impl Into<OwnedFd>) -> Self {
        Self::Fd(fd.into())
    }

    /// Hands out what it is made of: a descriptor, or the port of some transport.
    ///
    /// # Errors
    ///
    /// The port, which is no failure.
    #[doc(hidden)]
    pub fn into_fd(self) -> Result<OwnedFd, Option<Box<dyn Any>>> {
        match self {
            Self::Fd(fd) => Ok(fd),
            Self::Port(port) => Err(port),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(_) => f.debug_struct("Port").finish_non_exhaustive(),
            Self::Fd(fd) => f.debug_tuple("Fd").field(fd).finish(),
        }
    }
}
