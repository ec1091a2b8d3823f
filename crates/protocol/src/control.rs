//! The boundary between a program and a transport: [`Process`], the handle that programs have, over
//! [`ProcessControl`], its object-safe inside, which transports implement.
//!
//! No method calls a protocol: methods queue, and the driver calls back.
//!
//! [`Producer`] and the declaration of [`Producers`] stand here as well: the inside returns them, and
//! they name the handle. What a program can do with a handle is in `process`.

use crate::forward::cannot_forward;
use crate::registry::Registry;
use crate::{
    ChildFd, ExitReason, ForwardError, SignalError, SpawnPath, Target, Termination, Termios,
    WindowSize,
};
use bytes::Bytes;
use procession_core::{Deferred, Signal, WithCell, WriteError};
use std::any::Any;
use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

/// `ENOTTY` on every Unix.
const NOT_A_TERMINAL: i32 = 25;

/// Acts on one child: what a transport implements and [`Process`] calls.
///
/// Programs use `Process`. Each method may be called in any callback and must not call a protocol.
/// Methods that only some transports can serve have defaults that say so.
pub trait ProcessControl {
    /// Queues data for `fd`; flushed when the callback returns to the loop.
    ///
    /// # Errors
    ///
    /// Nothing is queued if the descriptor is closed, unknown, not writable, or its queue is full.
    fn write(&self, fd: ChildFd, data: Bytes) -> Result<(), WriteError>;

    /// Returns the number of bytes in the queue for `fd`, 0 where there is none.
    fn write_buffered(&self, fd: ChildFd) -> usize;

    /// Sets the limits, in bytes, at which the queue for `fd` counts as full and as drained.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write), but for `BufferFull`.
    fn set_write_limits(&self, fd: ChildFd, high: usize, low: usize) -> Result<(), WriteError>;

    /// Returns the limits, in bytes, of the queue for `fd`, the high one first; `None` where there
    /// is no queue, or the transport does not tell.
    fn write_limits(&self, fd: ChildFd) -> Option<(usize, usize)> {
        let _ = fd;
        None
    }

    /// Sets the number of bytes above which a write to `fd` is refused; `None` takes it away.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write), but for `BufferFull`.
    fn set_write_hard_limit(&self, fd: ChildFd, max: Option<usize>) -> Result<(), WriteError>;

    /// Closes the parent's end of `fd`: a writer once its queue is flushed, a reader at the next
    /// turn.
    fn close_child_fd(&self, fd: ChildFd);

    /// Ends the parent's direction of the socketpair `fd` once its queue is flushed.
    fn shutdown_write(&self, fd: ChildFd);

    /// Drops the queue for `fd` and closes the parent's end.
    fn abort_connection(&self, fd: ChildFd);

    /// Holds `fd` open for a producer that writes to it: a close that is asked for, before or after,
    /// is carried out once it is no longer held. An abort is not held up.
    fn hold_open(&self, fd: ChildFd, held: bool) {
        let (_, _) = (fd, held);
    }

    /// Closes 0, 1 and 2; hangs up a terminal.
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
    /// The child was reaped, or the kernel refused.
    fn signal(&self, signal: Signal) -> Result<(), SignalError>;

    /// Sends a signal to the group that the child leads.
    ///
    /// # Errors
    ///
    /// The child leads no group, the group is empty, or the kernel refused.
    fn signal_group(&self, signal: Signal) -> Result<(), SignalError>;

    /// Sends a signal, waits for `grace`, then sends KILL.
    fn terminate(&self, signal: Signal, grace: Duration) -> Deferred<Termination, SignalError>;

    /// Waits for what `process_ended` reports: [`ProtocolSlot::ended`](crate::ProtocolSlot::ended),
    /// unless the lifecycle has [reported](crate::Lifecycle::reported_end) it.
    fn ended(&self) -> Deferred<ExitReason, Infallible>;

    /// Returns the pid until the child is reaped.
    fn pid(&self) -> Option<u32>;

    /// Returns the signal by which the child is stopped.
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
    /// `ENOTTY` where there is no terminal, or what the kernel says.
    fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let (_, _) = (rows, columns);
        Err(not_a_terminal())
    }

    /// Returns the size of the terminal.
    ///
    /// # Errors
    ///
    /// `ENOTTY` where there is no terminal, or what the kernel says.
    fn window_size(&self) -> io::Result<WindowSize> {
        Err(not_a_terminal())
    }

    /// Returns the settings of the terminal.
    ///
    /// # Errors
    ///
    /// `ENOTTY` where there is no terminal, or what the kernel says.
    fn termios(&self) -> io::Result<Termios> {
        Err(not_a_terminal())
    }

    /// Changes the settings of the terminal.
    ///
    /// # Errors
    ///
    /// `ENOTTY` where there is no terminal, or what the kernel says.
    fn set_termios(&self, settings: &Termios) -> io::Result<()> {
        let _ = settings;
        Err(not_a_terminal())
    }

    /// Queues the terminal's end-of-file character.
    ///
    /// # Errors
    ///
    /// `ENOTTY` where there is no terminal, or what the kernel says.
    fn send_eof(&self) -> io::Result<()> {
        Err(not_a_terminal())
    }

    /// Calls `call` once with the parent's end of `fd`, and returns true, if there is one.
    ///
    /// No cell is borrowed meanwhile.
    fn with_fd(&self, fd: ChildFd, call: &mut dyn FnMut(BorrowedFd<'_>)) -> bool {
        let (_, _) = (fd, call);
        false
    }

    /// Moves what the child writes to `fd` to `target`, until its end.
    fn forward(&self, fd: ChildFd, target: Target) -> Deferred<u64, ForwardError> {
        let (_, _) = (fd, target);
        Deferred::ready(Err(ForwardError::new(0, cannot_forward())))
    }

    /// Returns the bytes that the pipe of `fd` holds when it is full; `None` where it is no pipe.
    fn pipe_size(&self, fd: ChildFd) -> Option<usize> {
        let _ = fd;
        None
    }

    /// Returns `fd` as the sink of a forwarding of whichever transport: a boxed port, whose type the
    /// transports of one loop agree on. `None` where nothing can be moved to.
    #[doc(hidden)]
    fn sink_port(&self, fd: ChildFd) -> Option<Box<dyn Any>> {
        let _ = fd;
        None
    }

    /// Returns whether this process has launched the child, and not one that it is a forked copy of.
    #[doc(hidden)]
    fn is_launched_here(&self) -> bool {
        true
    }

    /// Returns the registry of producers that the transport's slot keeps:
    /// [`ProtocolSlot::producers`](crate::ProtocolSlot::producers).
    fn producers(&self) -> Option<&Producers> {
        None
    }

    /// Returns a duplicate of the child's pidfd.
    ///
    /// # Errors
    ///
    /// `Unsupported` where there is none, or what the kernel says.
    fn pidfd(&self) -> io::Result<OwnedFd> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "there is no pidfd of the child"))
    }
}

/// Acts on one child; a cheap clone.
///
/// Every method may be called in every callback and at any other time on the loop's thread; none
/// calls the protocol. Dropping a handle does nothing: the child runs on. Handles of one child are
/// equal, those of two never are. Once the process has
/// ended, writes are answered by [`WriteError::Closed`], signals by
/// [`SignalError::ProcessExitedAlready`], and the rest is without effect. If the reactor is gone before
/// the process has ended, all that can fail says so: [`WriteError::ReactorGone`],
/// [`SignalError::ReactorGone`], and `NotConnected` where it is an [`io::Error`].
///
/// # Examples
///
/// ```
/// use procession_protocol::{FakeProcess, ProcessProtocol};
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

/// Writes to a descriptor of a child as fast as the child reads.
///
/// Every method of [`Process`] may be called in every method. A panic counts as the protocol's.
///
/// A close of the descriptor waits until its producer is done: until it is
/// [taken away](Process::unregister_producer), or closes the descriptor itself in one of these methods.
/// [`abort_connection`](Process::abort_connection), [`terminate`](Process::terminate) and the stop of the
/// reactor wait for no producer.
#[doc(alias = "IPushProducer")]
#[doc(alias = "IPullProducer")]
pub trait Producer {
    /// Goes on. A push producer hears it when the queue was drained after it had been paused; a
    /// pull producer when it is registered and each time the queue is empty, whatever the limits of
    /// the queue are, and is to write.
    #[doc(alias = "resumeProducing")]
    fn resume(&mut self, process: &Process, fd: ChildFd);

    /// Pauses: the queue is full. Called inside of the write that fills it, whoever writes, but not
    /// inside of this producer's own methods: there the next write to the full queue fails with
    /// [`BufferFull`](WriteError::BufferFull) and queues nothing, and the call comes after. Not called for
    /// pull producers; by default nothing happens.
    #[doc(alias = "pauseProducing")]
    fn pause(&mut self, process: &Process, fd: ChildFd) {
        let (_, _) = (process, fd);
    }

    /// Ends: the descriptor is lost. Called at most once, last; the producer is dropped then. A
    /// descriptor that the program closes is not lost before its producer is done.
    #[doc(alias = "stopProducing")]
    fn stop(&mut self, process: &Process, fd: ChildFd) {
        let (_, _) = (process, fd);
    }
}

/// Keeps the producers of one child: what a transport hands out from its slot.
pub struct Producers {
    pub(crate) registry: WithCell<Registry<dyn Producer>>,
    /// There were some, so that a write is to look for one.
    pub(crate) any: Cell<bool>,
}

fn not_a_terminal() -> io::Error {
    io::Error::from_raw_os_error(NOT_A_TERMINAL)
}

impl Target {
    /// A descriptor of a child that the parent writes, its stdin for instance.
    ///
    /// What was queued for it before goes first. It is closed when the source ends.
    pub fn child(process: &Process, fd: impl Into<ChildFd>) -> Self {
        Self::Port(process.0.sink_port(fd.into()))
    }
}
