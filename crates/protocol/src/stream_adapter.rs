//! [`StreamAdapter`]: runs a byte-stream [`Protocol`] over a child's standard input and output.

use crate::{
    Address, ChildFd, ConnectionEvent, ExitReason, ForwardError, LineReceiver, Process,
    ProcessProtocol, Protocol, Target, Transport, TransportControl,
};
use bytes::{Bytes, BytesMut};
use procession_core::{Deferred, Mark, WithCell, WriteError, split_character};
use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::rc::Rc;

/// Runs a [`Protocol`] over a child: its standard output is received, what is written goes to its
/// standard input.
///
/// What the child writes to its standard error is dropped, unless [`log_stderr`] or [`keep_stderr`]
/// chooses otherwise; other descriptors are not used. The end of the standard output is
/// `read_closed`, whose default closes the connection; the end of the process is `connection_lost`,
/// with `Ok` for exit status 0 and else an error that holds the `ProcessTerminated`. The
/// transport's addresses are [`Address::Other`].
///
/// The standard error is no part of the connection: closing that closes the standard input and the
/// standard output, and the child may go on to write errors. They are read to their end, which
/// comes before `connection_lost`. A descendant of the child may hold it open: one that is logged or
/// kept is waited for, unless the command bounds that (`drain_after_exit`), and one that is dropped
/// is closed when the child has exited. [`abort_connection`](Transport::abort_connection) closes all
/// three at once. On a terminal the three are one, and closing hangs it up.
///
/// Over a [`FakeProcess`](crate::FakeProcess) it is a fake for byte-stream protocols, too.
///
/// [`log_stderr`]: Self::log_stderr
/// [`keep_stderr`]: Self::keep_stderr
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use procession_protocol::{FakeProcess, Protocol, StreamAdapter, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: Bytes) {
///         transport.write(data);
///     }
/// }
///
/// let mut fake = FakeProcess::new(StreamAdapter::new(Echo));
/// fake.child_writes(1, "hello");
/// assert_eq!(fake.written(0), "hello");
/// ```
#[doc(alias = "ProcessEndpoint")]
pub struct StreamAdapter<P> {
    protocol: P,
    stderr: Stderr,
    /// `Some` from `connection_made` on.
    stream: Option<Rc<Stream>>,
}

enum Stderr {
    Drop,
    Log(LineReceiver, Box<dyn FnMut(Bytes)>),
    Keep(KeptStderr),
}

impl<P: Protocol> StreamAdapter<P> {
    /// Makes a process protocol of a stream protocol.
    pub fn new(protocol: P) -> Self {
        Self { protocol, stderr: Stderr::Drop, stream: None }
    }

    /// Calls `log` with each line that the child writes to its standard error; of a line longer
    /// than 16 KiB with its beginning.
    #[doc(alias = "errFlag")]
    #[must_use]
    pub fn log_stderr(self, log: impl FnMut(Bytes) + 'static) -> Self {
        Self { stderr: Stderr::Log(LineReceiver::new(), Box::new(log)), ..self }
    }

    /// Keeps the first `max_bytes` of what the child writes to its standard error, to be looked at
    /// through the handle that is returned; the rest is dropped.
    pub fn keep_stderr(self, max_bytes: usize) -> (Self, KeptStderr) {
        let kept = KeptStderr { head: Rc::default(), max_bytes };
        (Self { stderr: Stderr::Keep(kept.clone()), ..self }, kept)
    }

    fn call(&mut self, event: ConnectionEvent) {
        if let Some(stream) = &self.stream {
            let transport = Transport::from_control(Rc::clone(stream) as _);
            self.protocol.on_event(&transport, event);
        }
    }
}

/// Looks at what a child wrote to its standard error; a cheap clone.
#[derive(Clone)]
pub struct KeptStderr {
    head: Rc<WithCell<Head>>,
    max_bytes: usize,
}

#[derive(Default)]
struct Head {
    kept: BytesMut,
    /// Three bytes at most of what follows.
    rest: Vec<u8>,
}

impl KeptStderr {
    /// Returns a copy of what was kept so far. Text is cut between characters.
    pub fn bytes(&self) -> Bytes {
        self.head.with(|Head { kept, rest }| {
            let (cut, _) = split_character(kept, rest);
            Bytes::copy_from_slice(&kept[..kept.len() - cut])
        })
    }

    fn add(&self, data: &[u8]) {
        self.head.with(|Head { kept, rest }| {
            let room = self.max_bytes.saturating_sub(kept.len());
            let (fits, more) = data.split_at(data.len().min(room));
            kept.extend_from_slice(fits);
            rest.extend_from_slice(&more[..more.len().min(3 - rest.len())]);
        });
    }
}

impl Stderr {
    fn receive(&mut self, data: Bytes) {
        match self {
            Self::Drop => {}
            Self::Keep(kept) => kept.add(&data),
            Self::Log(lines, _) => {
                lines.on_data(data);
                self.log();
            }
        }
    }

    fn end(&mut self) {
        if let Self::Log(lines, _) = self {
            lines.on_end();
            self.log();
        }
    }

    fn log(&mut self) {
        let Self::Log(lines, log) = self else { return };
        while let Some(line) = lines.poll() {
            log(line.into_bytes());
        }
    }
}

impl<P: Protocol> ProcessProtocol for StreamAdapter<P> {
    fn connection_made(&mut self, process: &Process) {
        let stream = Stream {
            process: process.clone(),
            wants_stderr: !matches!(self.stderr, Stderr::Drop),
            closing: Cell::new(false),
        };
        self.stream = Some(Rc::new(stream));
        self.call(ConnectionEvent::Made);
    }

    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.call(ConnectionEvent::Data(data));
    }

    fn err_received(&mut self, _: &Process, data: Bytes) {
        self.stderr.receive(data);
    }

    fn out_connection_lost(&mut self, _: &Process) {
        // A loss that the program itself asked for is no news of the child.
        if self.stream.as_ref().is_some_and(|stream| !stream.closing.get()) {
            self.call(ConnectionEvent::ReadClosed);
        }
    }

    fn err_connection_lost(&mut self, _: &Process) {
        self.stderr.end();
    }

    fn child_write_buffer_full(&mut self, _: &Process, fd: ChildFd) {
        if fd == ChildFd::STDIN {
            self.call(ConnectionEvent::Mark(Mark::Full));
        }
    }

    fn child_write_buffer_drained(&mut self, _: &Process, fd: ChildFd) {
        if fd == ChildFd::STDIN {
            self.call(ConnectionEvent::Mark(Mark::Drained));
        }
    }

    fn process_exited(&mut self, _: &Process, _: ExitReason) {
        if let Some(stream) = &self.stream {
            stream.close_unwanted();
        }
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        let reason = reason.map(drop).map_err(io::Error::other);
        self.call(ConnectionEvent::Lost(reason));
    }
}

/// The transport of the protocol: a child's standard input and output.
struct Stream {
    process: Process,
    /// The standard error is logged or kept.
    wants_stderr: bool,
    /// The program closed the connection.
    closing: Cell<bool>,
}

impl Stream {
    /// Closes the standard error of a child that has exited if nobody wants what is left of it.
    fn close_unwanted(&self) {
        if self.closing.get() && !self.wants_stderr && self.process.pid().is_none() {
            self.process.close_stderr();
        }
    }

    fn is_terminal(&self) -> bool {
        self.process.window_size().is_ok()
    }
}

impl TransportControl for Stream {
    fn write(&self, data: Bytes) -> Result<(), WriteError> {
        self.process.try_write(data)
    }

    fn write_buffered(&self) -> usize {
        self.process.write_buffered(ChildFd::STDIN)
    }

    fn set_write_limits(&self, high: usize, low: usize) -> Result<(), WriteError> {
        self.process.set_write_limits(ChildFd::STDIN, high, low)
    }

    fn write_limits(&self) -> Option<(usize, usize)> {
        self.process.write_limits(ChildFd::STDIN)
    }

    fn set_write_hard_limit(&self, max: Option<usize>) -> Result<(), WriteError> {
        self.process.set_write_hard_limit(ChildFd::STDIN, max)
    }

    fn lose_connection(&self) {
        self.closing.set(true);
        if self.is_terminal() {
            return self.process.lose_connection();
        }
        self.process.close_stdin();
        self.process.close_stdout();
        self.close_unwanted();
    }

    fn abort_connection(&self) {
        self.closing.set(true);
        self.process.abort_connection(ChildFd::STDIN);
        self.process.lose_connection();
    }

    fn shutdown_write(&self) {
        self.process.close_stdin();
    }

    fn pause(&self) {
        self.process.pause(ChildFd::STDOUT);
    }

    fn resume(&self) {
        self.process.resume(ChildFd::STDOUT);
    }

    fn peer(&self) -> Address {
        Address::Other
    }

    fn host(&self) -> Address {
        Address::Other
    }

    fn forward(&self, target: Target) -> Deferred<u64, ForwardError> {
        self.process.forward(ChildFd::STDOUT, target)
    }

    fn sink_port(&self) -> Option<Box<dyn Any>> {
        self.process.0.sink_port(ChildFd::STDIN)
    }
}

impl<P: fmt::Debug> fmt::Debug for StreamAdapter<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamAdapter").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl fmt::Debug for KeptStderr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeptStderr").field(&self.bytes()).finish()
    }
}
