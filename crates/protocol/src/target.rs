//! [`Target`]: the destination of bytes that are forwarded without passing through the program.
//!
//! The constructors for a child and for a connection are in the files of their handles, so this file
//! depends on neither.

use std::any::Any;
use std::fmt;
use std::os::fd::OwnedFd;

/// The destination to which [`Process::forward`](crate::Process::forward) and
/// [`Transport::forward`](crate::Transport::forward) move bytes.
///
/// # Examples
///
/// ```
/// use procession::{FakeConnection, FakeProcess, ProcessProtocol, Protocol, Target};
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
    /// A port of a transport, whose type the transports of one loop agree on; `None` if it cannot be a
    /// target, as with a fake.
    #[doc(hidden)]
    Port(Option<Box<dyn Any>>),
    /// A socket, a pipe or a file, which the forwarding owns.
    Fd(OwnedFd),
}

impl Target {
    /// Creates a target from a socket, a pipe or a file. The forwarding sets it to non-blocking, and
    /// closes it when the source ends.
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
