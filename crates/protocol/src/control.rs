//! The boundary between a program and a transport: programs use [`Process`], a handle over the
//! object-safe trait [`ProcessControl`], which transports implement.
//!
//! No method calls a protocol: methods queue, and the driver makes the callbacks.
//!
//! The methods of `Process` are in `process`, `process_facts` and `process_producers`.

use std::any::Any;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use procession_core::{Deferred, NoError, Signal, WriteError};

use crate::forward::cannot_forward;
use crate::transport_control::Producers;
use crate::{
    ChildFd, ExitReason, ForwardError, SignalError, SpawnPath, Target, Termination, Termios,
    WindowSize,
};

/// The actions on one child that a transport implements and [`Process`] calls.
///
/// Programs use `Process`. Any callback may call any method, and no method may call a protocol.
/// Methods that only some transports support have defaults that report this.
pub trait ProcessControl {
    /// Creates a handle over this transport.
    fn into_process(self: Rc<Self>) -> Process
    where
        Self: Sized + 'static,
    {
        Process::from_control(self)
    }

    /// Queues data for `fd`; flushed when the callback returns to the loop.
    ///
    /// # Errors
    ///
    /// The descriptor is closed, unknown, not writable, or its queue is full. Then nothing is queued.
    fn write(&self, fd: ChildFd, data: Bytes) -> Result<(), WriteError>;

    /// Returns the number of bytes in the queue for `fd`, 0 if there is no queue.
    fn write_buffered(&self, fd: ChildFd) -> usize;

    /// Sets the limits, in bytes, at which the queue for `fd` counts as full and as drained.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write), except `BufferFull`.
    fn set_write_limits(&self, fd: ChildFd, high: usize, low: usize) -> Result<(), WriteError>;

    /// Returns the limits, in bytes, of the queue for `fd`, the high one first; `None` if there is no
    /// queue, or if the transport does not report them.
    fn write_limits(&self, fd: ChildFd) -> Option<(usize, usize)> {
        let _ = fd;
        None
    }

    /// Sets the number of bytes above which a write to `fd` is refused; `None` removes the limit.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write), except `BufferFull`.
    fn set_write_hard_limit(&self, fd: ChildFd, max: Option<usize>) -> Result<(), WriteError>;

    /// Closes the parent's end of `fd`: a writer once its queue is flushed, a reader at the next
    /// turn.
    fn close_child_fd(&self, fd: ChildFd);

    /// Ends the parent's direction of the socketpair `fd` once its queue is flushed.
    fn shutdown_write(&self, fd: ChildFd);

    /// Drops the queue for `fd` and closes the parent's end.
    fn abort_connection(&self, fd: ChildFd);

    /// Sets whether `fd` is held open for a producer that writes to it. A close that is requested
    /// before or after takes place once `fd` is no longer held. An abort does not wait.
    fn hold_open(&self, fd: ChildFd, held: bool) {
        let (_, _) = (fd, held);
    }

    /// Closes 0, 1 and 2; a terminal is hung up.
    fn lose_connection(&self) {
        self.close_child_fd(ChildFd::STDIN);
        self.close_child_fd(ChildFd::STDOUT);
        self.close_child_fd(ChildFd::STDERR);
    }

    /// Closes every descriptor.
    fn close_all(&self);

    /// Stops reading `fd`.
    fn pause(&self, fd: ChildFd);

    /// Reads `fd` again.
    fn resume(&self, fd: ChildFd);

    /// Stops reading every descriptor.
    fn pause_all(&self);

    /// Reads every descriptor again.
    fn resume_all(&self);

    /// Sends a signal to the child.
    ///
    /// # Errors
    ///
    /// The child was reaped, or the kernel refuses the signal.
    fn signal(&self, signal: Signal) -> Result<(), SignalError>;

    /// Sends a signal to the group that the child leads.
    ///
    /// # Errors
    ///
    /// The child leads no group, the group is empty, or the kernel refuses the signal.
    fn signal_group(&self, signal: Signal) -> Result<(), SignalError>;

    /// Sends a signal, waits for `grace`, then sends KILL.
    fn terminate(&self, signal: Signal, grace: Duration) -> Deferred<Termination, SignalError>;

    /// Waits for the reason that `process_ended` gets. Implementations return
    /// [`ProtocolSlot::ended`](crate::driver::ProtocolSlot::ended), unless the lifecycle has already
    /// [reported](crate::driver::Lifecycle::reported_end) the end.
    fn ended(&self) -> Deferred<ExitReason, NoError>;

    /// Returns the pid until the child is reaped.
    fn pid(&self) -> Option<u32>;

    /// Returns the signal that stopped the child, if it is stopped.
    fn stopped_by(&self) -> Option<Signal> {
        None
    }

    /// Returns the group that the child leads.
    fn group(&self) -> Option<u32> {
        None
    }

    /// Returns how the child was started; `None` for a fake.
    fn spawned_by(&self) -> Option<SpawnPath> {
        None
    }

    /// Sets the size of the terminal.
    ///
    /// # Errors
    ///
    /// `Unsupported` if there is no terminal; `BrokenPipe` if it is closed; else the kernel's error.
    fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let (_, _) = (rows, columns);
        Err(no_terminal(self.pid(), "set the window size"))
    }

    /// Returns the size of the terminal.
    ///
    /// # Errors
    ///
    /// `Unsupported` if there is no terminal; `BrokenPipe` if it is closed; else the kernel's error.
    fn window_size(&self) -> io::Result<WindowSize> {
        Err(no_terminal(self.pid(), "read the window size"))
    }

    /// Returns the settings of the terminal.
    ///
    /// # Errors
    ///
    /// `Unsupported` if there is no terminal; `BrokenPipe` if it is closed; else the kernel's error.
    fn termios(&self) -> io::Result<Termios> {
        Err(no_terminal(self.pid(), "read the terminal settings"))
    }

    /// Changes the settings of the terminal.
    ///
    /// # Errors
    ///
    /// `Unsupported` if there is no terminal; `BrokenPipe` if it is closed; else the kernel's error.
    fn set_termios(&self, settings: &Termios) -> io::Result<()> {
        let _ = settings;
        Err(no_terminal(self.pid(), "change the terminal settings"))
    }

    /// Queues the terminal's end-of-file character.
    ///
    /// # Errors
    ///
    /// `Unsupported` if there is no terminal; `BrokenPipe` if it is closed; else the kernel's error.
    fn send_eof(&self) -> io::Result<()> {
        Err(no_terminal(self.pid(), "type the end-of-file character"))
    }

    /// Calls `call` once with the parent's end of `fd`, if there is one, and returns whether there is.
    ///
    /// No cell is borrowed during the call.
    fn with_fd(&self, fd: ChildFd, call: &mut dyn FnMut(BorrowedFd<'_>)) -> bool {
        let (_, _) = (fd, call);
        false
    }

    /// Moves the data that the child writes to `fd` to `target`, until their end.
    fn forward(&self, fd: ChildFd, target: Target) -> Deferred<u64, ForwardError> {
        let (_, _) = (fd, target);
        Deferred::ready(Err(ForwardError::new(0, cannot_forward())))
    }

    /// Returns the capacity of the pipe of `fd` in bytes; `None` if it is not a pipe.
    fn pipe_size(&self, fd: ChildFd) -> Option<usize> {
        let _ = fd;
        None
    }

    /// Returns `fd` as the sink of a forwarding from any transport: a boxed port, whose type the
    /// transports of one loop agree on. `None` if `fd` cannot be a sink.
    #[doc(hidden)]
    fn sink_port(&self, fd: ChildFd) -> Option<Box<dyn Any>> {
        let _ = fd;
        None
    }

    /// Returns whether this process launched the child; false in a forked copy of that process.
    #[doc(hidden)]
    fn is_launched_here(&self) -> bool {
        true
    }

    /// Returns the registry of producers in the transport's slot:
    /// [`ProtocolSlot::producers`](crate::driver::ProtocolSlot::producers).
    fn producers(&self) -> Option<&Producers> {
        None
    }

    /// Returns a duplicate of the child's pidfd.
    ///
    /// # Errors
    ///
    /// `Unsupported` if there is none, or the error of the kernel.
    fn pidfd(&self) -> io::Result<OwnedFd> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "there is no pidfd of the child"))
    }
}

/// A handle to one child, cheap to clone.
///
/// Every method may be called in every callback, and at any other time on the loop's thread; no method
/// calls the protocol. Dropping a handle does nothing: the child runs on. Handles of one child are
/// equal, those of two never are. Once the process has ended,
/// writes return [`WriteError::Closed`], signals return [`SignalError::ProcessExitedAlready`], and the
/// other methods have no effect. If the reactor is gone before the process has ended, every method that
/// can fail reports that: [`WriteError::ReactorGone`], [`SignalError::ReactorGone`], or an
/// [`io::Error`] of the kind `NotConnected`.
///
/// # Examples
///
/// ```
/// use procession::{FakeProcess, ProcessProtocol};
///
/// struct Quiet;
/// impl ProcessProtocol for Quiet {}
///
/// let fake = FakeProcess::new(Quiet);
/// let process = fake.process().clone();
/// process.write("hello\n");
/// process.close_stdin();
/// assert_eq!(fake.written(0), "hello\n");
/// ```
#[derive(Clone)]
#[doc(alias = "IProcessTransport")]
pub struct Process(pub(crate) Rc<dyn ProcessControl>);

/// Returns the error of a terminal's verb for a child without a terminal: that the program cannot
/// `what`, such as "read the window size", of the child.
pub(crate) fn no_terminal(pid: Option<u32>, what: &str) -> io::Error {
    let child = pid.map_or_else(|| "the child".to_owned(), |pid| format!("process {pid}"));
    let text = format!("cannot {what} of {child}: it has no terminal");
    io::Error::new(io::ErrorKind::Unsupported, text)
}

impl Target {
    /// Creates a target from a descriptor of a child that the parent writes, such as its stdin.
    ///
    /// Data that were queued for it before are written first. It is closed when the source ends.
    pub fn child(process: &Process, fd: impl Into<ChildFd>) -> Self {
        Self::Port(process.0.sink_port(fd.into()))
    }
}
