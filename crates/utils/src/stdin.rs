//! Where a program's standard input comes from.

use bytes::{Bytes, BytesMut};
use procession_core::IntoBytes;
use procession_process_transport::Fd;
use std::fmt;
use std::fs::File;
use std::io::Read;

/// Where a program's standard input comes from: never from a pipe that is left open.
///
/// Made of bytes, a `File` or an [`Fd`] by `into()`, too. A program that does not read all that it
/// is given is no error.
///
/// # Examples
///
/// ```
/// use procession::{Reactor, Run, Stdin};
///
/// let mut reactor = Reactor::new()?;
/// let sorted = reactor.block_on(Run::new("sort").stdin("b\na\n")).unwrap();
/// assert_eq!(sorted.stdout, "a\nb\n");
///
/// let reader = std::io::Read::take(std::io::repeat(b'x'), 1_000_000);
/// let counted = reactor.block_on(Run::new("wc").arg("-c").stdin(Stdin::reader(reader))).unwrap();
/// assert_eq!(counted.stdout_utf8().unwrap().trim(), "1000000");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Stdin(pub(crate) Source);

pub(crate) enum Source {
    Nothing,
    Bytes(Bytes),
    Fd(Fd),
    Reader(Box<dyn Read + Send>),
    Command,
}

impl Stdin {
    /// Nothing: `/dev/null`, the default.
    pub fn nothing() -> Self {
        Self(Source::Nothing)
    }

    /// These bytes, and then the end.
    pub fn bytes(data: impl IntoBytes) -> Self {
        let data = data.into_bytes();
        Self(if data.is_empty() { Source::Nothing } else { Source::Bytes(data) })
    }

    /// A file, from where it stands: the program reads it itself, nothing is copied.
    pub fn file(file: File) -> Self {
        Self::fd(Fd::inherit(file))
    }

    /// Anything that a [`Command`](procession_process_transport::Command) can put on descriptor 0;
    /// a pipe to the program is closed at once.
    pub fn fd(fd: Fd) -> Self {
        Self(Source::Fd(fd))
    }

    /// What a reader gives, up to its end, a chunk at a time and as fast as the program reads.
    ///
    /// It is read, and dropped, on a thread of its own, so it may wait: a timeout of the
    /// [`Run`](crate::Run) comes all the same, and the thread ends once its read returns. What is a
    /// descriptor goes to the program itself by [`Stdin::fd`]. If it fails, the program is terminated, and
    /// the error is [`OutputError::Stdin`](crate::OutputError::Stdin); if it panics, the program is
    /// terminated, and the panic unwinds out of the loop.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self(Source::Reader(Box::new(reader)))
    }

    /// What the [`Command`](procession_process_transport::Command) that the
    /// [`Run`](crate::Run) was made of has on descriptor 0; a pipe to the program is closed at once.
    ///
    /// A command with a terminal (`pty`) needs it: there 0 is the terminal.
    pub fn as_in_command() -> Self {
        Self(Source::Command)
    }
}

impl Default for Stdin {
    fn default() -> Self {
        Self::nothing()
    }
}

macro_rules! from_bytes {
    ($($data:ty),* $(,)?) => {
        $(impl From<$data> for Stdin {
            fn from(data: $data) -> Self {
                Self::bytes(data)
            }
        })*
    };
}

from_bytes!(Bytes, BytesMut, Vec<u8>, Box<[u8]>, String, &'static str, &'static [u8]);

impl<const N: usize> From<&'static [u8; N]> for Stdin {
    fn from(data: &'static [u8; N]) -> Self {
        Self::bytes(data)
    }
}

impl From<File> for Stdin {
    fn from(file: File) -> Self {
        Self::file(file)
    }
}

impl From<Fd> for Stdin {
    fn from(fd: Fd) -> Self {
        Self::fd(fd)
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Nothing => f.write_str("nothing"),
            Source::Bytes(data) => write!(f, "{} bytes", data.len()),
            Source::Fd(fd) => fd.fmt(f),
            Source::Reader(_) => f.write_str("a reader"),
            Source::Command => f.write_str("as in the command"),
        }
    }
}
