//! [`StreamAdapter`]: runs a byte-stream [`Protocol`] over a child's standard input and output.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use procession_core::driver::{WithCell, split_character};
use procession_core::{Deferred, Mark, WriteError};

use crate::transport_control::{Producers, TransportControl};
use crate::{
    Address, ChildFd, ConnectionEvent, ExitReason, ForwardError, LineReceiver, Process,
    ProcessProtocol, Protocol, Target, Transport,
};

/// Runs a [`Protocol`] over a child: the protocol receives the child's standard output, and writes to
/// its standard input.
///
/// The standard error of the child is discarded, unless [`log_stderr`] or [`keep_stderr`] is used. Other
/// descriptors are not used. The end of the standard output is reported as `read_closed`, whose default
/// closes the connection. The end of the process is reported as `connection_lost`, with `Ok` for exit
/// status 0, else with an error that holds the `ProcessTerminated`. The transport's addresses are
/// [`Address::Other`].
///
/// The standard error is not part of the connection: closing the connection closes the standard input
/// and the standard output, and the child may still write errors. These are read to their end, which
/// comes before `connection_lost`. A descendant of the child may hold the standard error open. If it is
/// logged or kept, `connection_lost` waits for its end, unless the command limits that
/// (`drain_after_exit`); if it is discarded, it is closed when the child has exited.
/// [`abort_connection`](Transport::abort_connection) closes all three at once. On a terminal all three
/// are the same, and closing hangs the terminal up.
///
/// Over a [`FakeProcess`](crate::FakeProcess) it is also a fake for byte-stream protocols.
///
/// [`log_stderr`]: Self::log_stderr
/// [`keep_stderr`]: Self::keep_stderr
///
/// # Examples
///
/// ```
/// use procession::{Bytes, FakeProcess, Protocol, StreamAdapter, Transport};
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
    stderr: StderrMode,
    /// `Some` from `connection_made` on.
    stream: Option<Rc<ChildStream>>,
}

enum StderrMode {
    Drop,
    Log(LineReceiver, Box<dyn FnMut(Bytes)>),
    Keep(KeptStderr),
}

impl<P: Protocol> StreamAdapter<P> {
    /// Creates a process protocol from a stream protocol.
    pub fn new(protocol: P) -> Self {
        Self { protocol, stderr: StderrMode::Drop, stream: None }
    }

    /// Calls `log` with each line that the child writes to its standard error. A line longer than
    /// 16 KiB is cut.
    #[doc(alias = "errFlag")]
    #[must_use]
    pub fn log_stderr(self, log: impl FnMut(Bytes) + 'static) -> Self {
        Self { stderr: StderrMode::Log(LineReceiver::new(), Box::new(log)), ..self }
    }

    /// Keeps the first `max_bytes` that the child writes to its standard error, and discards the rest.
    /// The returned handle reads the kept bytes.
    pub fn keep_stderr(self, max_bytes: usize) -> (Self, KeptStderr) {
        let kept = KeptStderr { head: Rc::default(), max_bytes };
        (Self { stderr: StderrMode::Keep(kept.clone()), ..self }, kept)
    }

    fn call(&mut self, event: ConnectionEvent) {
        if let Some(stream) = &self.stream {
            let transport = Transport::from_control(Rc::clone(stream) as _);
            self.protocol.on_event(&transport, event);
        }
    }
}

/// A handle that reads the kept standard error of a child; cheap to clone.
#[derive(Clone)]
pub struct KeptStderr {
    head: Rc<WithCell<StderrHead>>,
    max_bytes: usize,
}

#[derive(Default)]
struct StderrHead {
    kept: BytesMut,
    /// Up to three of the bytes after `kept`.
    rest: Vec<u8>,
}

impl KeptStderr {
    /// Returns a copy of the bytes kept so far. Text is cut between characters.
    pub fn bytes(&self) -> Bytes {
        self.head.with(|StderrHead { kept, rest }| {
            let (cut, _) = split_character(kept, rest);
            Bytes::copy_from_slice(&kept[..kept.len() - cut])
        })
    }

    fn add(&self, data: &[u8]) {
        self.head.with(|StderrHead { kept, rest }| {
            let room = self.max_bytes.saturating_sub(kept.len());
            let (fits, more) = data.split_at(data.len().min(room));
            kept.extend_from_slice(fits);
            rest.extend_from_slice(&more[..more.len().min(3 - rest.len())]);
        });
    }
}

impl StderrMode {
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
        let stream = ChildStream {
            process: process.clone(),
            wants_stderr: !matches!(self.stderr, StderrMode::Drop),
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
        // A loss that the program itself requested does not come from the child.
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
struct ChildStream {
    process: Process,
    /// The standard error is logged or kept.
    wants_stderr: bool,
    /// The program closed the connection.
    closing: Cell<bool>,
}

impl ChildStream {
    /// Closes the discarded standard error of a child that has exited, once the connection is closed.
    fn close_unwanted(&self) {
        if self.closing.get() && !self.wants_stderr && self.process.pid().is_none() {
            self.process.close_stderr();
        }
    }

    fn is_terminal(&self) -> bool {
        self.process.window_size().is_ok()
    }
}

impl TransportControl for ChildStream {
    fn write(&self, data: Bytes) -> Result<(), WriteError> {
        self.process.0.write(ChildFd::STDIN, data)
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

    fn hold_open(&self, held: bool) {
        self.process.0.hold_open(ChildFd::STDIN, held);
    }

    fn producers(&self) -> Option<&Producers> {
        self.process.0.producers()
    }

    fn child_fd(&self) -> Option<ChildFd> {
        Some(ChildFd::STDIN)
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
