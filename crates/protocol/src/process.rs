//! The methods of [`Process`]: the handle that spawning returns, that callbacks get, and that fakes
//! return. The file `process_facts` has the methods that return facts about the child.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use procession_core::{Deferred, IntoBytes, Signal, WriteError};

use crate::control::ProcessControl;
use crate::process_producers::ChildOutput;
use crate::transport_control::Producers;
use crate::{ChildFd, Process, SignalError, Termination};

impl Process {
    #[inline]
    pub(crate) fn from_control(control: Rc<dyn ProcessControl>) -> Self {
        Self(control)
    }
}

/// Writing: the verbs of a [`Transport`](crate::Transport), which go to the child's standard input or
/// take the descriptor first.
impl Process {
    /// Queues data for the child's standard input. The callbacks report the outcome.
    ///
    /// Writes are flushed when the callback returns to the loop. Until then, data written after
    /// [`close_stdin`](Self::close_stdin) are still sent. A refused write is dropped without an error;
    /// [`try_write`](Self::try_write) returns the reason instead.
    pub fn write(&self, data: impl IntoBytes) {
        // Dropped on purpose: after the child's end, or a close, nobody reads the data.
        self.try_write(data).ok();
    }

    /// Queues data for the child's standard input: [`write_to_child`](Self::write_to_child) of 0.
    ///
    /// # Errors
    ///
    /// Nothing is queued if the descriptor is closed, unknown, not writable, or its queue is full.
    #[doc(alias = "write_all")]
    pub fn try_write(&self, data: impl IntoBytes) -> Result<(), WriteError> {
        self.write_to_child(ChildFd::STDIN, data)
    }

    /// Queues data for a descriptor. Never blocks, keeps the order, copies nothing.
    ///
    /// A queue accepts any amount, full or not, unless it has a
    /// [hard limit](Self::set_write_hard_limit). If the write fills the queue, it pauses a
    /// [push producer](crate::Pace::Push) before it returns. A producer that writes inside its own callback
    /// gets `BufferFull` from its next write on.
    ///
    /// # Errors
    ///
    /// The descriptor is closed, unknown, not writable, or its queue is full. Then nothing is queued.
    #[doc(alias = "writeToChild")]
    pub fn write_to_child(
        &self,
        fd: impl Into<ChildFd>,
        data: impl IntoBytes,
    ) -> Result<(), WriteError> {
        let (fd, data) = (fd.into(), data.into_bytes());
        match self.0.producers().filter(|producers| producers.is_any()) {
            None => self.0.write(fd, data),
            Some(producers) => self.write_beside_producers(producers, fd, data),
        }
    }

    /// Writes to a child that may have a producer. Out of line, so that other writes stay cheap.
    #[cold]
    #[inline(never)]
    fn write_beside_producers(
        &self,
        producers: &Producers,
        fd: ChildFd,
        data: Bytes,
    ) -> Result<(), WriteError> {
        producers.write(&ChildOutput::new(self, fd), data)
    }

    /// Queues a copy of borrowed data for the child's standard input.
    pub fn write_copy(&self, data: &[u8]) {
        self.write(Bytes::copy_from_slice(data));
    }

    /// Queues several pieces for the child's standard input, up to the first that is refused.
    #[doc(alias = "writeSequence")]
    pub fn write_sequence<I>(&self, pieces: I)
    where
        I: IntoIterator,
        I::Item: IntoBytes,
    {
        for piece in pieces {
            if self.try_write(piece).is_err() {
                return; // as in `write`; a later piece must not follow the gap
            }
        }
    }

    /// Returns the number of bytes queued for `fd`, 0 if there is no queue.
    pub fn write_buffered(&self, fd: impl Into<ChildFd>) -> usize {
        self.0.write_buffered(fd.into())
    }

    /// Sets the limits, in bytes, of the queue for `fd`: above `high` it is full, at `low` or below
    /// it is drained. The defaults are 64 KiB and 0. A `low` above `high` counts as `high`.
    ///
    /// # Errors
    ///
    /// The descriptor is closed, unknown or not writable.
    pub fn set_write_limits(
        &self,
        fd: impl Into<ChildFd>,
        high: usize,
        low: usize,
    ) -> Result<(), WriteError> {
        self.0.set_write_limits(fd.into(), high, low)
    }

    /// Returns the limits, in bytes, of the queue for `fd`, the high one first; `None` if there is no
    /// queue, or if the transport does not report them.
    pub fn write_limits(&self, fd: impl Into<ChildFd>) -> Option<(usize, usize)> {
        self.0.write_limits(fd.into())
    }

    /// Sets the hard limit of the queue for `fd`: a write that would queue more than `max` bytes fails.
    /// `None`, the default, means no limit.
    ///
    /// # Errors
    ///
    /// The descriptor is closed, unknown or not writable.
    pub fn set_write_hard_limit(
        &self,
        fd: impl Into<ChildFd>,
        max: Option<usize>,
    ) -> Result<(), WriteError> {
        self.0.set_write_hard_limit(fd.into(), max)
    }
}

/// Closing.
impl Process {
    /// Closes the parent's end of `fd`: a writer once its producer is done and its queue is flushed, a
    /// reader at the next turn. A second call has no effect.
    ///
    /// A [producer](crate::Producer) is done when it is unregistered, or closes `fd` itself. Until then its
    /// data are sent, and a socketpair is still read.
    #[doc(alias = "closeChildFD")]
    #[doc(alias = "close")]
    pub fn close_child_fd(&self, fd: impl Into<ChildFd>) {
        let fd = fd.into();
        self.on_close(Some(fd));
        self.0.close_child_fd(fd);
    }

    /// Closes the child's standard input once its producer is done and all written data is flushed.
    #[doc(alias = "closeStdin")]
    #[doc(alias = "shutdown")]
    pub fn close_stdin(&self) {
        self.close_child_fd(ChildFd::STDIN);
    }

    /// Closes the parent's end of the child's standard output.
    #[doc(alias = "closeStdout")]
    pub fn close_stdout(&self) {
        self.close_child_fd(ChildFd::STDOUT);
    }

    /// Closes the parent's end of the child's standard error.
    #[doc(alias = "closeStderr")]
    pub fn close_stderr(&self) {
        self.close_child_fd(ChildFd::STDERR);
    }

    /// Ends the parent's direction of the socketpair `fd` once its producer is done and its queue is
    /// flushed; data that the child writes are still received.
    #[doc(alias = "loseWriteConnection")]
    pub fn shutdown_write(&self, fd: impl Into<ChildFd>) {
        let fd = fd.into();
        self.on_close(Some(fd));
        self.0.shutdown_write(fd);
    }

    /// Drops the queue for `fd` and closes the parent's end, without waiting for a producer.
    #[doc(alias = "abortConnection")]
    pub fn abort_connection(&self, fd: impl Into<ChildFd>) {
        self.0.abort_connection(fd.into());
    }

    /// Closes 0, 1 and 2, each as [`close_child_fd`](Self::close_child_fd) does; a terminal is hung
    /// up.
    #[doc(alias = "loseConnection")]
    pub fn lose_connection(&self) {
        self.on_close(None);
        self.0.lose_connection();
    }

    /// Closes every descriptor, each as [`close_child_fd`](Self::close_child_fd) does.
    pub fn close_all(&self) {
        self.on_close(None);
        self.0.close_all();
    }

    /// Notes that the program closes `fd`, or every descriptor. If a running producer does that, it is
    /// done.
    fn on_close(&self, fd: Option<ChildFd>) {
        let Some(producers) = self.0.producers() else { return };
        for running in producers.running().into_iter().flatten() {
            if fd.is_none_or(|fd| fd == running) {
                self.0.hold_open(running, false);
            }
        }
    }
}

/// Reading.
impl Process {
    /// Stops reading `fd`: until [`resume`](Self::resume), no data are delivered, and no loss that the
    /// child causes. `process_exited` does not wait for the resume; `process_ended` does.
    #[doc(alias = "pauseProducing")]
    pub fn pause(&self, fd: impl Into<ChildFd>) {
        self.0.pause(fd.into());
    }

    /// Reads `fd` again.
    #[doc(alias = "resumeProducing")]
    pub fn resume(&self, fd: impl Into<ChildFd>) {
        self.0.resume(fd.into());
    }

    /// Stops reading every descriptor.
    pub fn pause_all(&self) {
        self.0.pause_all();
    }

    /// Reads every descriptor again.
    pub fn resume_all(&self) {
        self.0.resume_all();
    }
}

/// Signals.
impl Process {
    /// Sends a signal to the child.
    ///
    /// # Errors
    ///
    /// [`SignalError::ProcessExitedAlready`] once the child was reaped; else the error of the kernel.
    #[doc(alias = "signalProcess")]
    #[doc(alias = "kill")]
    #[doc(alias = "send_signal")]
    pub fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        self.0.signal(signal)
    }

    /// Sends a signal to the group that the child leads.
    ///
    /// # Errors
    ///
    /// [`SignalError::NoGroup`] if the child leads no group, [`SignalError::ProcessExitedAlready`] if
    /// the group is empty; else the error of the kernel.
    #[doc(alias = "killpg")]
    pub fn signal_group(&self, signal: Signal) -> Result<(), SignalError> {
        self.0.signal_group(signal)
    }

    /// Sends a signal, waits for `grace`, then sends KILL; to the whole group if the group is owned.
    ///
    /// The result comes when the child is reaped, and for an owned group when no process of the group is
    /// alive, at the latest one second after KILL. [`Termination::is_gone`] returns whether the child, or
    /// the group, is gone.
    ///
    /// Until then the leader of an owned group that has ended stays a zombie, and `process_exited` comes
    /// with its reap. Then the bytes that the group left in the pipes are read, and the pipes are closed
    /// without waiting for their end, because a process outside of the group may hold one. Processes
    /// that left the group are not touched.
    ///
    /// A stopped child is continued, and a close no longer waits for a producer. A second call while the
    /// first is under way sends KILL at once. The result describes how the child ended; dropping it has
    /// no effect.
    ///
    /// # Errors
    ///
    /// The first signal cannot be sent: [`SignalError::ProcessExitedAlready`] if the child was reaped and
    /// no process of an owned group is left, [`SignalError::ReactorGone`], or the error of the kernel.
    ///
    /// # Platform
    ///
    /// On Linux, the living processes of a group are read from /proc. On other systems, or without
    /// /proc, a termination of an owned group takes the whole grace, sends KILL, and reports whether the
    /// group is gone as far as it can tell.
    #[doc(alias = "start_kill")]
    pub fn terminate(&self, signal: Signal, grace: Duration) -> Deferred<Termination, SignalError> {
        self.0.terminate(signal, grace)
    }
}
