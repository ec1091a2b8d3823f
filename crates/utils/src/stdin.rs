//! Where a program's standard input comes from.

use std::fmt;
use std::fs::File;
use std::io::Read;

use bytes::{Bytes, BytesMut};
use procession_core::IntoBytes;
use procession_process_transport::Fd;

/// The source of a program's standard input. The input always ends: no pipe is left open.
///
/// Bytes, a `File` and an [`Fd`] also convert into it by `into()`. The program need not read all of
/// its input.
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
    /// Returns an empty input, `/dev/null`. This is the default.
    pub fn nothing() -> Self {
        Self(Source::Nothing)
    }

    /// Returns an input of these bytes.
    pub fn bytes(data: impl IntoBytes) -> Self {
        let data = data.into_bytes();
        Self(if data.is_empty() { Source::Nothing } else { Source::Bytes(data) })
    }

    /// Returns the file as input, from its current position. The program reads it directly; nothing
    /// is copied.
    pub fn file(file: File) -> Self {
        Self::fd(Fd::inherit(file))
    }

    /// Returns any input that a [`Command`](procession_process_transport::Command) can put on
    /// descriptor 0. A pipe to the program is closed at once.
    pub fn fd(fd: Fd) -> Self {
        Self(Source::Fd(fd))
    }

    /// Returns an input that `reader` supplies up to its end, in chunks, as fast as the program
    /// reads.
    ///
    /// The reader is read, and dropped, on a separate thread, so it may block. A timeout of the
    /// [`Run`](crate::Run) still works then, and the thread ends when the read returns. If the
    /// source is a descriptor, pass it to the program directly with [`Stdin::fd`].
    ///
    /// If the reader fails, the program is terminated, and the error is
    /// [`OutputError::Stdin`](crate::OutputError::Stdin). If the reader panics, the program is
    /// terminated, and the panic unwinds out of the loop.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self(Source::Reader(Box::new(reader)))
    }

    /// Keeps descriptor 0 as the [`Command`](procession_process_transport::Command) of the
    /// [`Run`](crate::Run) sets it. A pipe to the program is closed at once.
    ///
    /// A command with a terminal (`pty`) needs this, because its descriptor 0 is the terminal.
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
