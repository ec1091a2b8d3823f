//! What a child finds on one of 0, 1 and 2, by the names of std.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

use procession_process_transport::Fd;
use procession_protocol::ChildFd;

use crate::ends::{ChildReader, ChildWriter};

/// What a child finds on one of 0, 1 and 2.
///
/// It has the names of [`std::process::Stdio`], and takes each [`Fd`] too.
///
/// # Examples
///
/// ```
/// use procession_tokio::{Command, Fd, Stdio};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut echo = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
/// let hello: Stdio = echo.stdout.take().expect("it is a pipe").try_into()?;
/// let output = Command::new("tr").args(["a-z", "A-Z"]).stdin(hello).output().await?;
/// assert_eq!(output.stdout, b"HELLO\n");
/// assert!(Command::new("true").stderr(Fd::same_as(1)).status().await?.success());
/// # echo.wait().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Stdio(StdioKind);

#[derive(Debug, Clone)]
enum StdioKind {
    Piped,
    Inherit,
    Fd(Fd),
}

impl Stdio {
    /// Returns a pipe to the parent.
    pub fn piped() -> Self {
        Self(StdioKind::Piped)
    }

    /// Returns what the parent has on the same number.
    pub fn inherit() -> Self {
        Self(StdioKind::Inherit)
    }

    /// Returns `/dev/null`.
    pub fn null() -> Self {
        Fd::null().into()
    }

    /// Returns the entry of the fd map, for one of 0, 1 and 2.
    pub(crate) fn into_fd(self, number: ChildFd) -> Fd {
        match self.0 {
            StdioKind::Fd(fd) => fd,
            StdioKind::Piped if number == ChildFd::STDIN => Fd::to_child(),
            StdioKind::Piped => Fd::from_child(),
            StdioKind::Inherit if number == ChildFd::STDIN => Fd::inherit(io::stdin()),
            StdioKind::Inherit if number == ChildFd::STDOUT => Fd::inherit(io::stdout()),
            StdioKind::Inherit => Fd::inherit(io::stderr()),
        }
    }
}

/// Each entry of a fd map can be on 0, 1 and 2.
impl From<Fd> for Stdio {
    fn from(fd: Fd) -> Self {
        Self(StdioKind::Fd(fd))
    }
}

/// Descriptors that the child inherits.
macro_rules! from_descriptors {
    ($($type:ty),*) => {
        $(
            impl From<$type> for Stdio {
                fn from(fd: $type) -> Self {
                    Fd::inherit(fd).into()
                }
            }
        )*
    };
}

from_descriptors!(
    OwnedFd,
    File,
    io::Stdout,
    io::Stderr,
    io::PipeReader,
    io::PipeWriter,
    ChildStdin,
    ChildStdout,
    ChildStderr
);

/// Connects another child's output.
impl TryFrom<ChildReader> for Stdio {
    type Error = io::Error;

    fn try_from(reader: ChildReader) -> io::Result<Self> {
        Ok(reader.into_owned_fd()?.into())
    }
}

/// Connects another child's input.
impl TryFrom<ChildWriter> for Stdio {
    type Error = io::Error;

    fn try_from(writer: ChildWriter) -> io::Result<Self> {
        Ok(writer.into_owned_fd()?.into())
    }
}
