//! [`FakeProcess`]: a fake child for the tests of protocols.
//!
//! It uses the lifecycle and the write queues of a real child. A test plays the child's part, and moves
//! the time by hand. `pipe` has one descriptor, `termination` the calls of `terminate`, `engine` the
//! driver, `control` the handle. `connection` has [`FakeConnection`], the same for connections.

mod connection;
mod control;
mod engine;
mod output;
mod pipe;
mod termination;

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
pub use connection::FakeConnection;
use engine::Engine;
pub use engine::FakeDriver;
pub use pipe::FakeFd;
use pipe::{ChildEnd, FakePipe};
use procession_core::{FakeClock, IntoBytes, Signal};

use crate::{ChildFd, ExitReason, Process, ProcessDone, ProcessProtocol, ProcessTerminated};

/// A fake child: runs a protocol while a test plays the child's part.
///
/// Each call simulates an event, then runs the protocol's callbacks until nothing is due. The getters
/// run due callbacks too. `connection_made` runs inside the constructor. The next call acts on the
/// things that a test does through [`process`](Self::process), as a loop would in its next turn. A
/// panic of the protocol unwinds out of the call that ran it; afterwards the protocol is dropped and
/// gets no further call, and the fake goes on.
///
/// Signals are recorded and have no effect. To make the child die by a signal, a test calls
/// [`exit_by_signal`](Self::exit_by_signal). The fake child leads a process group of its own.
///
/// # Examples
///
/// ```
/// use procession::{Bytes, FakeProcess, Process, ProcessProtocol, Signal};
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
    /// Creates a fake child with the default descriptors: 0 to it, 1 and 2 from it.
    pub fn new(protocol: impl ProcessProtocol + 'static) -> Self {
        let fds = [
            (ChildFd::STDIN, FakeFd::ToChild),
            (ChildFd::STDOUT, FakeFd::FromChild),
            (ChildFd::STDERR, FakeFd::FromChild),
        ];
        Self::with_fds(protocol, fds)
    }

    /// Creates a fake child with these descriptors; the last entry for a number wins.
    pub fn with_fds<F: Into<ChildFd>>(
        protocol: impl ProcessProtocol + 'static,
        fds: impl IntoIterator<Item = (F, FakeFd)>,
    ) -> Self {
        let pipes = fds.into_iter().map(|(fd, kind)| (fd.into(), FakePipe::new(kind))).collect();
        Self::start(Box::new(protocol), pipes, None)
    }

    /// Creates a fake child that `driver` plays.
    #[doc(hidden)]
    pub fn driven(
        protocol: impl ProcessProtocol + 'static,
        fds: impl IntoIterator<Item = (ChildFd, FakeFd)>,
        driver: FakeDriver,
    ) -> Self {
        let pipes = fds.into_iter().map(|(fd, kind)| (fd, FakePipe::new(kind))).collect();
        Self::start(Box::new(protocol), pipes, Some(driver))
    }

    fn start(
        protocol: Box<dyn ProcessProtocol>,
        pipes: BTreeMap<ChildFd, FakePipe>,
        driver: Option<FakeDriver>,
    ) -> Self {
        let engine = Engine::new(protocol, pipes, driver);
        let process = Process::from_control(Rc::clone(&engine) as _);
        let fake = Self { engine, process };
        fake.turn();
        fake
    }

    /// Returns the same handle that callbacks get.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Returns the clock for `terminate` and `drain_after_exit`; it stands still until the test
    /// advances it. A fake that a script of `FakeChildren` plays has the reactor's clock instead.
    pub fn clock(&self) -> &FakeClock {
        &self.engine.clock
    }

    /// Runs the callbacks that are due. Every other call does this by itself.
    pub fn turn(&self) {
        self.engine.run();
    }
}

/// The child's part.
impl FakeProcess {
    /// Simulates that the child writes to `fd`. The data are dropped if the descriptor is closed, is
    /// unknown, or cannot be written by the child.
    pub fn child_writes(&mut self, fd: impl Into<ChildFd>, data: impl IntoBytes) {
        let (fd, data) = (fd.into(), data.into_bytes());
        let refused = self.engine.state.with(|state| match state.pipes.get_mut(&fd) {
            Some(pipe) if state.lifecycle.is_open(fd) => pipe.receive(data),
            _ => Some(data),
        });
        drop(refused);
        self.turn();
    }

    /// Simulates that the child closes `fd`, and no other process has it.
    pub fn child_closes(&mut self, fd: impl Into<ChildFd>) {
        self.with_pipe(fd.into(), |pipe| pipe.end_child(ChildEnd::Closed));
        self.turn();
    }

    /// Simulates that the child will write no more to the socketpair `fd`, but still reads. Has no effect
    /// on other descriptors.
    pub fn child_shuts_down(&mut self, fd: impl Into<ChildFd>) {
        self.with_pipe(fd.into(), FakePipe::end_child_direction);
        self.turn();
    }

    /// Simulates that the child exits with `code`: it is reaped and its descriptors close.
    pub fn exit(&mut self, code: i32) {
        self.end(match code {
            0 => Ok(ProcessDone::default()),
            code => Err(ProcessTerminated::exited(code)),
        });
    }

    /// Simulates that a signal ends the child: it is reaped and its descriptors close.
    pub fn exit_by_signal(&mut self, signal: Signal) {
        self.end(Err(ProcessTerminated::signalled(signal)));
    }

    /// Simulates that the child is reaped while descendants hold its descriptors open. A second reap is
    /// ignored.
    pub fn reap(&mut self, reason: ExitReason) {
        self.engine.end(reason);
        self.turn();
    }

    /// Simulates that the child's group is owned and has this many other living members. `terminate`
    /// then acts on the group, and ends when the child has ended and no member is alive.
    ///
    /// Until then a child that ends is not reaped. The first call makes the group owned, unless a
    /// termination is under way at that time.
    ///
    /// ```
    /// use procession::{FakeProcess, ProcessProtocol, Signal};
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
        let now = self.engine.now();
        self.engine.state.with(|state| {
            state.termination.set_members(living, state.lifecycle.is_reaped(), now);
        });
        self.turn();
    }

    /// Makes the pipe to `fd` full: data that are written stay in the queue.
    pub fn hold_writes(&mut self, fd: impl Into<ChildFd>) {
        self.turn();
        self.with_pipe(fd.into(), |pipe| pipe.output.set_room(Some(0)));
    }

    /// Simulates that the child reads `bytes` bytes from the full pipe to `fd`.
    pub fn child_reads(&mut self, fd: impl Into<ChildFd>, bytes: usize) {
        self.with_pipe(fd.into(), |pipe| pipe.output.add_room(bytes));
        self.turn();
    }

    /// Ends the effect of [`hold_writes`](Self::hold_writes).
    pub fn release_writes(&mut self, fd: impl Into<ChildFd>) {
        self.with_pipe(fd.into(), |pipe| pipe.output.set_room(None));
        self.turn();
    }

    /// Sets the time after the reap at which open descriptors are cut off; `None`, the default, means
    /// never. Has no effect once the child was reaped.
    pub fn set_drain_after_exit(&mut self, after: impl Into<Option<Duration>>) {
        let after = after.into();
        self.engine.state.with(|state| state.lifecycle.set_drain_after_exit(after));
    }
}

/// What the parent did.
impl FakeProcess {
    /// Returns all data that were written to `fd` and flushed.
    pub fn written(&self, fd: impl Into<ChildFd>) -> Bytes {
        self.turn();
        let fd = fd.into();
        self.engine.state.with(|state| {
            state.pipes.get(&fd).map(|pipe| pipe.output.written()).unwrap_or_default()
        })
    }

    /// Returns whether the parent's end of `fd` is closed, or does not exist.
    pub fn is_closed(&self, fd: impl Into<ChildFd>) -> bool {
        self.turn();
        let fd = fd.into();
        self.engine.state.with(|state| !state.lifecycle.is_open(fd))
    }

    /// Returns whether the child was reaped and every descriptor is closed.
    pub fn is_ended(&self) -> bool {
        self.turn();
        self.engine.state.with(|state| state.lifecycle.is_ended())
    }

    /// Returns the signals that were sent to the child, including those of `terminate`: the call's own,
    /// the CONT that follows it, and KILL. If the group is owned, those of `terminate` go to the group
    /// instead, except KILL, which goes to both.
    pub fn signals(&self) -> Vec<Signal> {
        self.turn();
        self.engine.state.with(|state| state.sent.to_child.clone())
    }

    /// Returns the signals that were sent to the child's group, including those of `terminate` if it is
    /// owned.
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
