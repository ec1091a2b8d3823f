//! What a child finds on one of its descriptor numbers.

use std::fmt;
use std::fs::File;
use std::mem;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use procession_protocol::ChildFd;

/// One entry of a child's fd map.
///
/// Cheap to clone. Clones of an inherited descriptor share that descriptor.
#[derive(Clone)]
pub struct Fd(FdKind);

#[derive(Clone)]
pub(crate) enum FdKind {
    ToChild,
    FromChild,
    Socketpair,
    Inherit(Arc<dyn AsFd + Send + Sync>),
    SameAs(ChildFd),
    Null,
    File(PathBuf, FileMode),
    Closed,
}

/// What a child finds on 0 to 2 by default.
pub(super) static PIPES: [Fd; 3] =
    [Fd(FdKind::ToChild), Fd(FdKind::FromChild), Fd(FdKind::FromChild)];

/// How [`Fd::file`] opens its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileMode {
    /// For reading; it must exist.
    Read,
    /// For writing; created if missing (mode 0666 less the umask), else truncated.
    Write,
    /// For writing at the end; created if missing.
    Append,
    /// For reading and writing; created if missing, not truncated.
    ReadWrite,
}

impl Fd {
    /// Returns whether both are the same. An inherited descriptor is the same only as a clone.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (FdKind::Inherit(one), FdKind::Inherit(two)) => Arc::ptr_eq(one, two),
            (FdKind::SameAs(one), FdKind::SameAs(two)) => one == two,
            (FdKind::File(one, how), FdKind::File(two, other)) => one == two && how == other,
            (one, two) => {
                let is_plain =
                    !matches!(one, FdKind::Inherit(_) | FdKind::SameAs(_) | FdKind::File(..));
                is_plain && mem::discriminant(one) == mem::discriminant(two)
            }
        }
    }

    /// Returns a pipe that the parent writes and the child reads: Twisted's `"w"`.
    pub fn to_child() -> Self {
        Self(FdKind::ToChild)
    }

    /// Returns a pipe that the child writes and the parent reads: Twisted's `"r"`.
    pub fn from_child() -> Self {
        Self(FdKind::FromChild)
    }

    /// Returns a Unix stream socket whose other end the parent reads and writes.
    pub fn socketpair() -> Self {
        Self(FdKind::Socketpair)
    }

    /// Returns a descriptor of the caller: `File`, `OwnedFd`, `io::stderr()`, `Arc<File>`, ….
    ///
    /// It stays open as long as the command lives; a spawn never closes, replaces or changes it.
    /// The child gets a duplicate without close-on-exec, with the same file offset and status
    /// flags.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Fd};
    ///
    /// let log = std::sync::Arc::new(std::fs::File::open("/dev/null")?);
    /// let command = Command::new("server").child_fd(1, Fd::inherit(log.clone()));
    /// # drop(command);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn inherit(fd: impl AsFd + Send + Sync + 'static) -> Self {
        Self(FdKind::Inherit(Arc::new(fd)))
    }

    /// Returns the same descriptor as another number of this child, like `2>&1` in a shell.
    pub fn same_as(number: impl Into<ChildFd>) -> Self {
        Self(FdKind::SameAs(number.into()))
    }

    /// Returns `/dev/null`, for reading and writing.
    pub fn null() -> Self {
        Self(FdKind::Null)
    }

    /// Returns a file that the parent opens at each spawn; a relative path is relative to the
    /// parent.
    ///
    /// If the file cannot be opened, the spawn fails at [`Step::Pipe`](crate::Step::Pipe). The open
    /// does not wait for the other side of a FIFO (`fifo(7)`): to write a FIFO without a reader
    /// fails with `ENXIO`, and a child that reads a FIFO without a writer gets end of file. A
    /// program that must wait for a writer opens the FIFO itself, or opens it for reading and
    /// writing.
    pub fn file(path: impl AsRef<Path>, mode: FileMode) -> Self {
        Self(FdKind::File(path.as_ref().to_owned(), mode))
    }

    /// Returns an entry that closes the number in the child.
    pub fn closed() -> Self {
        Self(FdKind::Closed)
    }

    pub(crate) fn kind(&self) -> &FdKind {
        &self.0
    }
}

/// See [`Fd::inherit`].
impl From<OwnedFd> for Fd {
    fn from(fd: OwnedFd) -> Self {
        Self::inherit(fd)
    }
}

/// See [`Fd::inherit`].
impl From<File> for Fd {
    fn from(file: File) -> Self {
        Self::inherit(file)
    }
}

macro_rules! from_sockets {
    ($($socket:ty),* $(,)?) => {
        $(/// See [`Fd::inherit`].
        impl From<$socket> for Fd {
            fn from(socket: $socket) -> Self {
                Self::inherit(socket)
            }
        })*
    };
}

from_sockets!(TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream);

impl fmt::Debug for Fd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            FdKind::ToChild => f.write_str("to_child"),
            FdKind::FromChild => f.write_str("from_child"),
            FdKind::Socketpair => f.write_str("socketpair"),
            FdKind::Inherit(fd) => {
                let fd: BorrowedFd<'_> = fd.as_fd();
                write!(f, "inherit({fd:?})")
            }
            FdKind::SameAs(number) => write!(f, "same_as({number})"),
            FdKind::Null => f.write_str("null"),
            FdKind::File(path, mode) => write!(f, "file({path:?}, {mode:?})"),
            FdKind::Closed => f.write_str("closed"),
        }
    }
}
