//! The parent's ends of a child, as streams of tokio.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use procession_core::driver::Direction;
use procession_process_transport::driver::GrowingPipe;
use rustix::buffer::spare_capacity;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use crate::source::{Moved, Source};
use crate::sys;

/// The parent's end of one descriptor, before it is a stream.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) fd: OwnedFd,
    pub(crate) direction: Direction,
    /// The command lets pipes grow.
    pub(crate) grows: bool,
    pub(crate) is_socket: bool,
}

impl End {
    /// One direction of a socket or a terminal.
    pub(crate) fn half(fd: OwnedFd, is_socket: bool) -> Self {
        Self { fd, direction: Direction::Both, grows: false, is_socket }
    }
}

/// One direction of an end. It blocks until the first call.
#[derive(Debug)]
struct Stream {
    source: Source<OwnedFd>,
    direction: Direction,
    is_nonblocking: bool,
    growth: GrowingPipe,
}

impl Stream {
    fn new(end: End, interest: Interest) -> Self {
        let is_pipe = end.direction != Direction::Both;
        let growth = GrowingPipe::new(is_pipe && end.grows);
        let source = Source::new(end.fd, interest);
        Self { source, direction: end.direction, is_nonblocking: false, growth }
    }

    /// Calls until a call moves something; `wanted` is the number of bytes that it asks for.
    fn poll_moved(
        &mut self,
        context: &mut Context<'_>,
        wanted: usize,
        mut call: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if !self.is_nonblocking {
            self.set_nonblocking(true)?;
        }
        let is_pipe = self.direction != Direction::Both;
        let moved = ready!(self.source.poll_call(context, |fd| {
            let bytes = call(fd.as_fd())?;
            // A pipe that moved less is empty, or full. A terminal may have more.
            let is_exhausted = is_pipe && 0 < bytes && bytes < wanted;
            Ok(Moved { result: bytes, is_exhausted })
        }))?;
        if let Some(fd) = self.source.get().filter(|_| is_pipe) {
            self.growth.on_moved(fd, moved, moved == wanted);
        }
        Poll::Ready(Ok(moved))
    }

    fn set_nonblocking(&mut self, nonblocking: bool) -> io::Result<()> {
        let fd = self.source.get().ok_or(io::ErrorKind::NotConnected)?;
        let mut flags = match self.direction {
            Direction::Read => OFlags::RDONLY,
            Direction::Write => OFlags::WRONLY,
            _ => fcntl_getfl(fd)?,
        };
        flags.set(OFlags::NONBLOCK, nonblocking);
        fcntl_setfl(fd, flags)?;
        self.is_nonblocking = nonblocking;
        Ok(())
    }

    /// Takes the descriptor out, in blocking mode.
    fn into_fd(mut self) -> io::Result<OwnedFd> {
        if self.is_nonblocking {
            self.set_nonblocking(false)?;
        }
        self.source.into_inner().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// What the child writes to one of its descriptors: an [`AsyncRead`].
///
/// [`Child::stdout`](crate::Child::stdout), [`Child::stderr`](crate::Child::stderr) and
/// [`Child::take_reader`](crate::Child::take_reader) are of this type. It ends when no process has
/// the other end open any more; the master of a terminal ends when no process has the terminal
/// open.
///
/// A read that has to wait outside of a runtime fails; in a runtime without I/O it panics.
///
/// Reads that fill their buffer again and again let the pipe grow, to 256 KiB and then 1 MiB
/// ([`Command::adaptive_pipes`](crate::Command::adaptive_pipes)).
///
/// # Examples
///
/// ```
/// use procession_tokio::{Command, Fd};
/// use tokio::io::AsyncReadExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let mut child = Command::new("sh")
///     .args(["-c", "echo seven >&7"])
///     .child_fd(7, Fd::from_child())
///     .spawn()?;
/// let mut text = String::new();
/// child.take_reader(7)?.read_to_string(&mut text).await?;
/// assert_eq!(text, "seven\n");
/// assert!(child.wait().await?.success());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ChildReader(Stream);

impl ChildReader {
    pub(crate) fn new(end: End) -> Self {
        Self(Stream::new(end, Interest::READABLE))
    }

    /// Returns the descriptor, in blocking mode.
    ///
    /// # Errors
    ///
    /// The system refuses the change (`fcntl(2)`).
    pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
        self.0.into_fd()
    }

    /// Reads once and appends to `data`; 0 is the end.
    pub(crate) fn poll_append(
        &mut self,
        context: &mut Context<'_>,
        data: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        /// The least and the most room for one read, in bytes.
        const ROOM: (usize, usize) = (8 << 10, 256 << 10);
        let (least, most) = ROOM;
        if data.capacity() - data.len() < least {
            data.reserve(data.len().clamp(least, most));
        }
        let wanted = data.capacity() - data.len();
        self.0.poll_moved(context, wanted, |fd| {
            ended(retry_on_intr(|| rustix::io::read(fd, spare_capacity(data))))
        })
    }
}

impl AsyncRead for ChildReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wanted = buffer.remaining();
        if wanted == 0 {
            return Poll::Ready(Ok(()));
        }
        self.0.poll_moved(context, wanted, |fd| ended(sys::read(fd, buffer))).map_ok(drop)
    }
}

/// What the parent writes to one of the child's descriptors: an [`AsyncWrite`].
///
/// [`Child::stdin`](crate::Child::stdin) and [`Child::take_writer`](crate::Child::take_writer) are
/// of this type. Drop it, or shut it down (`AsyncWriteExt::shutdown`), so that the child
/// reads the end of its input. The end of a terminal's input is a character that the program
/// writes, usually `\x04`.
///
/// If the child does not read any more, writes fail with
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe). A write that has to wait outside of a runtime fails; in a
/// runtime without I/O it panics.
#[derive(Debug)]
pub struct ChildWriter {
    /// `None` after a shutdown.
    stream: Option<Stream>,
    is_socket: bool,
}

impl ChildWriter {
    pub(crate) fn new(end: End) -> Self {
        let is_socket = end.is_socket;
        Self { stream: Some(Stream::new(end, Interest::WRITABLE)), is_socket }
    }

    /// Returns the descriptor, in blocking mode.
    ///
    /// # Errors
    ///
    /// It was shut down; or the system refuses the change (`fcntl(2)`).
    pub fn into_owned_fd(mut self) -> io::Result<OwnedFd> {
        let stream = self.stream.take();
        stream.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?.into_fd()
    }

    fn poll_written(
        &mut self,
        context: &mut Context<'_>,
        wanted: usize,
        call: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Some(stream) => stream.poll_moved(context, wanted, call),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn close(&mut self) {
        let Some(stream) = self.stream.take() else { return };
        if let Some(fd) = stream.source.get().filter(|_| self.is_socket) {
            shutdown(fd, Shutdown::Write).ok(); // its peer may be gone
        }
    }
}

/// Closes the writing half of a socket, whose reading half may live on.
impl Drop for ChildWriter {
    fn drop(&mut self) {
        self.close();
    }
}

impl AsyncWrite for ChildWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(context, data.len(), |fd| {
            Ok(retry_on_intr(|| rustix::io::write(fd, data))?)
        })
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        /// The most slices of one call (`IOV_MAX`).
        const MOST: usize = 1024;
        let data = &data[..data.len().min(MOST)];
        let wanted = data.iter().map(|slice| slice.len()).sum();
        self.poll_written(context, wanted, |fd| Ok(retry_on_intr(|| rustix::io::writev(fd, data))?))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the child's input. In `tokio::process` only the drop does that.
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

/// Returns 0, the end, for the two errors that mean it: EIO is the end of a terminal, and a socket
/// that was reset has no more data.
fn ended(read: Result<usize, impl Into<io::Error>>) -> io::Result<usize> {
    read.or_else(|error| {
        let error = error.into();
        match Errno::from_io_error(&error) {
            Some(Errno::IO | Errno::CONNRESET) => Ok(0),
            _ => Err(error),
        }
    })
}
