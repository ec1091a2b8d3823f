//! [`FakeProcess`]: a child that is not there, for the tests of protocols.
//!
//! The lifecycle and the write queues are those of a real child; a test plays the child's part, and
//! time is moved by hand. `pipe` has one descriptor, `termination` the calls of `terminate`, `engine`
//! the driver, `control` the handle. `connection` has [`FakeConnection`], the same for connections.

mod connection;
mod control;
mod engine;
mod pipe;
mod termination;

pub use connection::FakeConnection;
pub use pipe::FakeFd;

use crate::{ChildFd, ExitReason, Process, ProcessDone, ProcessProtocol, ProcessTerminated};
use bytes::Bytes;
use engine::Engine;
use pipe::{ChildEnd, FakePipe};
use procession_core::{Clock, FakeClock, IntoBytes, Signal};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Runs a protocol against a child whose part a test plays.
///
/// Each call plays a fact, then runs the protocol's callbacks until nothing is due; so do the calls
/// that look at something. `connection_made` runs inside the constructor. What a test does through
/// [`process`](Self::process) is acted on by the next call, as a loop would in its next turn. A
/// panic of the protocol unwinds out of the call that ran it; afterwards the protocol is dropped
/// and gets no further call, and the rest goes on.
///
/// Signals are recorded and have no effect: a test that wants one obeyed calls
/// [`exit_by_signal`](Self::exit_by_signal). The fake child leads a process group of its own.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use procession_core::Signal;
/// use procession_protocol::{FakeProcess, Process, ProcessProtocol};
///
/// struct KillOnError;
///
/// impl ProcessProtocol for KillOnError {
///     fn err_received(&mut self, process: &Process, _: Bytes) {
///         process.signal(Signal::KILL).ok();
///     }
/// }
///
/// let mut fake = FakeProcess::new(KillOnError);
/// fake.child_writes(2, "no such file");
/// assert_eq!(fake.signals(), [Signal::KILL]);
/// fake.exit_by_signal(Signal::KILL);
/// assert!(fake.is_ended());
/// ```
#[must_use = "its protocol is dropped with it"]
pub struct FakeProcess {
    engine: Rc<Engine>,
    process: Process,
}

impl FakeProcess {
    /// Starts a fake child with the default descriptors: 0 to it, 1 and 2 from it.
    pub fn new(protocol: impl ProcessProtocol + 'static) -> Self {
        let fds = [
            (ChildFd::STDIN, FakeFd::ToChild),
            (ChildFd::STDOUT, FakeFd::FromChild),
            (ChildFd::STDERR, FakeFd::FromChild),
        ];
        Self::with_fds(protocol, fds)
    }

    /// Starts a fake child with these descriptors; the last entry for a number wins.
    pub fn with_fds<F: Into<ChildFd>>(
        protocol: impl ProcessProtocol + 'static,
        fds: impl IntoIterator<Item = (F, FakeFd)>,
    ) -> Self {
        let pipes = fds.into_iter().map(|(fd, kind)| (fd.into(), FakePipe::new(kind))).collect();
        let engine = Engine::new(Box::new(protocol), pipes);
        let process = Process::from_control(Rc::clone(&engine) as _);
        let fake = Self { engine, process };
        fake.turn();
        fake
    }

    /// Returns a handle, of the same kind as callbacks are given.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Returns the clock that `terminate` and `drain_after_exit` go by; it stands still until it
    /// is advanced.
    pub fn clock(&self) -> &FakeClock {
        &self.engine.clock
    }

    /// Runs what is due. Every other call does so by itself.
    pub fn turn(&self) {
        self.engine.run();
    }
}

/// The child's part.
impl FakeProcess {
    /// Plays that the child writes to `fd`. Data that it cannot write, because the descriptor is
    /// closed, unknown or not its to write, are dropped.
    pub fn child_writes(&mut self, fd: impl Into<ChildFd>, data: impl IntoBytes) {
        let (fd, data) = (fd.into(), data.into_bytes());
        let refused = self.engine.state.with(|state| match state.pipes.get_mut(&fd) {
            Some(pipe) if state.lifecycle.is_open(fd) => pipe.receive(data),
            _ => Some(data),
        });
        drop(refused);
        self.turn();
    }

    /// Plays that the child closes `fd`, and nobody else has it.
    pub fn child_closes(&mut self, fd: impl Into<ChildFd>) {
        self.with_pipe(fd.into(), |pipe| pipe.end_child(ChildEnd::Closed));
        self.turn();
    }

    /// Plays that the child will write no more to the socketpair `fd`, but goes on reading. Without
    /// effect on other descriptors.
    pub fn child_shuts_down(&mut self, fd: impl Into<ChildFd>) {
        self.with_pipe(fd.into(), FakePipe::end_child_direction);
        self.turn();
    }

    /// Plays that the child exits with `code`: it is reaped and its descriptors close.
    pub fn exit(&mut self, code: i32) {
        self.end(match code {
            0 => Ok(ProcessDone::default()),
            code => Err(ProcessTerminated::exited(code)),
        });
    }

    /// Plays that a signal ends the child: it is reaped and its descriptors close.
    pub fn exit_by_signal(&mut self, signal: Signal) {
        self.end(Err(ProcessTerminated::signalled(signal)));
    }

    /// Plays that the child is reaped while descendants hold its descriptors open. A second reap is
    /// ignored.
    pub fn reap(&mut self, reason: ExitReason) {
        self.engine.end(reason);
        self.turn();
    }

    /// Plays that the child's group is owned, and that so many others of it live: `terminate` then acts
    /// on the group, and has ended when the child has and none of them lives.
    ///
    /// Until then a child that ends is not reaped. That the group is owned counts from the first call
    /// on, unless a termination is under way then.
    ///
    /// ```
    /// use procession_core::Signal;
    /// use procession_protocol::{FakeProcess, ProcessProtocol};
    /// use std::time::Duration;
    ///
    /// struct Quiet;
    ///
    /// impl ProcessProtocol for Quiet {}
    ///
    /// let mut fake = FakeProcess::new(Quiet);
    /// fake.set_group_members(1);
    /// let ended = fake.process().terminate(Signal::TERM, Duration::from_secs(10));
    /// fake.exit_by_signal(Signal::TERM);
    /// assert!(ended.try_take().is_none() && !fake.is_ended());
    /// fake.set_group_members(0);
    /// fake.clock().advance(Duration::from_millis(50));
    /// assert!(ended.try_take().unwrap().unwrap().is_gone() && fake.is_ended());
    /// ```
    pub fn set_group_members(&mut self, living: usize) {
        let now = self.engine.clock.elapsed();
        self.engine.state.with(|state| {
            state.termination.set_members(living, state.lifecycle.is_reaped(), now);
        });
        self.turn();
    }

    /// Makes the pipe to `fd` full: what is written stays in the queue.
    pub fn hold_writes(&mut self, fd: impl Into<ChildFd>) {
        self.turn();
        self.with_pipe(fd.into(), |pipe| pipe.set_room(Some(0)));
    }

    /// Plays that the child reads `bytes` bytes out of the full pipe to `fd`.
    pub fn child_reads(&mut self, fd: impl Into<ChildFd>, bytes: usize) {
        self.with_pipe(fd.into(), |pipe| pipe.add_room(bytes));
        self.turn();
    }

    /// Ends what [`hold_writes`](Self::hold_writes) began.
    pub fn release_writes(&mut self, fd: impl Into<ChildFd>) {
        self.with_pipe(fd.into(), |pipe| pipe.set_room(None));
        self.turn();
    }

    /// Sets how long after the reap descriptors that are still open are cut off; `None`, as at
    /// first, is never. Without effect once the child was reaped.
    pub fn set_drain_after_exit(&mut self, after: Option<Duration>) {
        self.engine.state.with(|state| state.lifecycle.set_drain_after_exit(after));
    }
}

/// What the parent did.
impl FakeProcess {
    /// Returns all that was written to `fd` and flushed.
    pub fn written(&self, fd: impl Into<ChildFd>) -> Bytes {
        self.turn();
        let fd = fd.into();
        self.engine
            .state
            .with(|state| state.pipes.get(&fd).map(FakePipe::written).unwrap_or_default())
    }

    /// Tells whether the parent's end of `fd` is closed, or never was.
    pub fn is_closed(&self, fd: impl Into<ChildFd>) -> bool {
        self.turn();
        let fd = fd.into();
        self.engine.state.with(|state| !state.lifecycle.is_open(fd))
    }

    /// Tells whether the child was reaped and every descriptor is closed.
    pub fn is_ended(&self) -> bool {
        self.turn();
        self.engine.state.with(|state| state.lifecycle.is_ended())
    }

    /// Returns the signals that were sent to the child, `terminate`'s too: the call's own, the CONT
    /// that follows it, and KILL. Of a group that is owned these go to the group, but for the KILL,
    /// which goes to both.
    pub fn signals(&self) -> Vec<Signal> {
        self.turn();
        self.engine.state.with(|state| state.sent.to_child.clone())
    }

    /// Returns the signals that were sent to the child's group, `terminate`'s too where it is owned.
    pub fn group_signals(&self) -> Vec<Signal> {
        self.turn();
        self.engine.state.with(|state| state.sent.to_group.clone())
    }
}

impl FakeProcess {
    fn end(&mut self, reason: ExitReason) {
        self.engine.end(reason);
        self.engine.state.with(|state| {
            for pipe in state.pipes.values_mut() {
                pipe.end_child(ChildEnd::Closed);
            }
        });
        self.turn();
    }

    fn with_pipe(&self, fd: ChildFd, act: impl FnOnce(&mut FakePipe)) {
        self.engine.state.with(|state| {
            if let Some(pipe) = state.pipes.get_mut(&fd) {
                act(pipe);
            }
        });
    }
}

impl Drop for FakeProcess {
    fn drop(&mut self) {
        self.engine.retire();
    }
}

impl fmt::Debug for FakeProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeProcess").field("process", &self.process).finish_non_exhaustive()
    }
}
