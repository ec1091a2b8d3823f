//! Where a program's standard input comes from.

use std::fmt;
use std::fs::File;
use std::io::Read;

use bytes::{Bytes, BytesMut};
use procession_core::IntoBytes;
use procession_process_transport::Fd;

/// The most bytes of a reader that are kept in memory.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// The source of a program's standard input. The input always ends: no pipe is left open.
///
/// Bytes, a `File` and an [`Fd`] also convert into it by `into()`. The program need not read all of
/// its input.
///
/// # Examples
///
/// ```
/// use procession::{Run, Stdin};
///
/// let sorted = Run::new("sort").stdin("b\na\n").output_blocking()?;
/// assert_eq!(sorted.stdout, "a\nb\n");
///
/// let reader = std::io::Read::take(std::io::repeat(b'x'), 1_000_000);
/// let counted = Run::new("wc").arg("-c").stdin(Stdin::reader(reader)).output_blocking()?;
/// assert_eq!(counted.stdout_utf8().unwrap().trim(), "1000000");
/// # Ok::<(), procession::OutputError>(())
/// ```
pub struct Stdin(pub(crate) Source);

pub(crate) enum Source {
    Nothing,
    Bytes(Bytes),
    Fd(Fd),
    Reader(Box<dyn Read + Send>),
    Command,
}

/// What is written to the program's standard input.
pub(crate) enum Input {
    Nothing,
    Bytes(Bytes),
    Reader(Box<dyn Read + Send>),
}

impl Source {
    /// Returns the program's descriptor 0, unless the command keeps its own, and what is written to
    /// it.
    pub(crate) fn into_parts(self) -> (Option<Fd>, Input) {
        match self {
            Self::Nothing => (Some(Fd::null()), Input::Nothing),
            Self::Bytes(data) => (Some(Fd::to_child()), Input::Bytes(data)),
            Self::Reader(reader) => (Some(Fd::to_child()), Input::Reader(reader)),
            Self::Fd(fd) => (Some(fd), Input::Nothing),
            Self::Command => (None, Input::Nothing),
        }
    }
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
    /// On a loop the reader is read, and dropped, on a separate thread, so it may block. A timeout of
    /// the [`Run`](crate::Run) still works then, and the thread ends when the read returns. A
    /// [blocking run](crate::Run::output_blocking) reads it in its own thread when the program's pipe
    /// has room: while the reader blocks, the run reads no output and notices no timeout. If the
    /// source is a descriptor, pass it to the program directly with [`Stdin::fd`].
    ///
    /// If the reader fails, the program is terminated, and the error is
    /// [`OutputError::Stdin`](crate::OutputError::Stdin). If the reader panics, the program is
    /// terminated, and the panic unwinds out of the loop, or out of the blocking run.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self(Source::Reader(Box::new(reader)))
    }

    /// Returns the same input once more; `None` for a reader.
    pub(crate) fn try_clone(&self) -> Option<Self> {
        Some(Self(match &self.0 {
            Source::Nothing => Source::Nothing,
            Source::Bytes(data) => Source::Bytes(data.clone()),
            Source::Fd(fd) => Source::Fd(fd.clone()),
            Source::Reader(_) => return None,
            Source::Command => Source::Command,
        }))
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
