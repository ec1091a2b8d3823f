//! A child for async code: outputs as streams, writes that wait, an end to await.
//!
//! # Model
//!
//! A [`Child`] shares a small state with its outputs and with a protocol of its own. The state
//! keeps output until the program takes it. Above [`HIGH_BYTES`](ChildOutput::HIGH_BYTES) the descriptor is paused;
//! it is resumed when the program has taken everything. So a slow consumer slows the child down and
//! does not use up memory.
//!
//! Stderr is not paused until the program asks for it; only its last [`HIGH_BYTES`](ChildOutput::HIGH_BYTES) are
//! kept. So a program that reads stdout alone does not block the child by ignoring stderr.

mod backend;
mod bridge;
mod discarding;
mod error;
mod input;
mod lines;
mod output;
mod shared;
mod tail;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

pub use error::ChildError;
pub use input::ChildInput;
pub use lines::{ChunkSource, Lines};
pub use output::ChildOutput;
use procession_core::IntoBytes;
use procession_core::driver::WithCell;
use procession_protocol::driver::ProcessControl;
use procession_protocol::{ChildFd, ExitReason, Process, ProcessDone, ProcessProtocol};
use procession_reactor::Handle;

use self::backend::ChildBackend;
use self::bridge::Bridge;
use self::discarding::DiscardGuard;
use self::shared::{DialogueState, SharedState, Waiter};
use self::tail::{Tail, last_line};
use crate::adopt;
use crate::command::Command;
use crate::error::SpawnError;

/// A child for async code, made by [`SpawnProcess::spawn_child`](crate::SpawnProcess::spawn_child).
///
/// Its drop discards the output that was not taken. The child runs on and is reaped, unless it is
/// [killed on drop](Command::kill_on_drop): then it is terminated, an [owned](Command::owned) child
/// with its group, by TERM and, after [`Command::kill_grace`], KILL. The drop does not wait; the
/// loop does the work.
///
/// # Examples
///
/// ```
/// use procession::{ChildError, Command, Handle, Reactor, SpawnProcess};
///
/// let mut reactor = Reactor::new()?;
/// let output = reactor.block_on(async {
///     let mut child = Handle::current().spawn_child(Command::new("cat"))?;
///     child.write(b"hello\n").await?;
///     child.close_stdin();
///     let mut output = Vec::new();
///     while let Some(chunk) = child.stdout().next().await {
///         output.extend_from_slice(&chunk);
///     }
///     child.ended().await?;
///     Ok::<_, ChildError>(output)
/// })?;
/// assert_eq!(output, b"hello\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it ends the dialogue, and the child that is killed on drop"]
pub struct Child {
    process: Process,
    /// For messages.
    program: Rc<OsStr>,
    backend: ChildBackend,
    shared: Rc<SharedState>,
    /// The inputs that were not taken.
    inputs: BTreeSet<ChildFd>,
    /// The outputs that were not taken.
    outputs: BTreeMap<ChildFd, ChildOutput>,
    none: ChildOutput,
    /// The time between TERM and KILL, if it is killed on drop.
    kill_grace: Duration,
}

impl Child {
    /// Starts a child whose events go into the shared state.
    pub(crate) fn spawn(reactor: &Handle, command: &Command) -> Result<Self, SpawnError> {
        Self::begin(command, |bridge| {
            let transport = adopt::spawn(reactor, bridge, command)?;
            Ok((transport.clone().into_process(), ChildBackend::Reactor(transport)))
        })
    }

    /// The same for a child that is not there: `start` gives a protocol to a fake.
    pub(crate) fn of_fake(
        command: &Command,
        start: impl FnOnce(Box<dyn ProcessProtocol>) -> Result<Process, SpawnError>,
    ) -> Result<Self, SpawnError> {
        let kill_on_drop = command.ending.is_killed_on_drop(command.identity.owned);
        Self::begin(command, |bridge| Ok((start(bridge)?, ChildBackend::Fake { kill_on_drop })))
    }

    fn begin(
        command: &Command,
        start: impl FnOnce(Box<dyn ProcessProtocol>) -> Result<(Process, ChildBackend), SpawnError>,
    ) -> Result<Self, SpawnError> {
        let mut state = DialogueState::default();
        if command.output_fds().contains(&ChildFd::STDERR) {
            let stderr = state.outputs.entry(ChildFd::STDERR).or_default();
            stderr.tail = Some(Tail::default());
        }
        let shared = Rc::new(SharedState(WithCell::new(state)));
        let (process, backend) = start(Box::new(Bridge(Rc::clone(&shared))))?;
        let output = |fd, process| ChildOutput { fd, process, shared: Rc::clone(&shared) };
        let outputs = command
            .output_fds()
            .into_iter()
            .map(|fd| (fd, output(fd, Some(process.clone()))))
            .collect();
        let none = output(ChildFd::from(-1), None);
        let inputs = command.input_fds().into_iter().collect();
        let kill_grace = Duration::from_millis(command.ending.grace_ms().into());
        let program = command.program.as_os_str().into();
        Ok(Self { process, program, backend, shared, inputs, outputs, none, kill_grace })
    }

    /// Writes to the child's stdin, then waits while the queue is full: returns at once if the
    /// queue is at or below its high limit, else once it has drained.
    ///
    /// The first poll queues the data; a later drop of the future does not remove it.
    ///
    /// # Errors
    ///
    /// The child or the program closes its stdin, before the call or during the wait; or it has no
    /// stdin.
    pub async fn write(&mut self, data: impl IntoBytes) -> Result<(), ChildError> {
        self.write_to_child(ChildFd::STDIN, data).await
    }

    /// Does the same as [`write`](Self::write), for any descriptor that the parent writes.
    ///
    /// # Errors
    ///
    /// As for [`Child::write`].
    pub async fn write_to_child(
        &mut self,
        fd: impl Into<ChildFd>,
        data: impl IntoBytes,
    ) -> Result<(), ChildError> {
        let written =
            input::write(&self.process, &self.shared, fd.into(), Waiter::Child, data).await;
        written.map_err(|error| ChildError::Write { program: self.program.as_ref().into(), error })
    }

    /// Closes the child's stdin once the queued data is written.
    #[doc(alias = "shutdown")]
    pub fn close_stdin(&mut self) {
        self.process.close_stdin();
    }

    /// Returns the child's stdout; it ends at once if the parent does not read it.
    pub fn stdout(&mut self) -> &mut ChildOutput {
        self.output(ChildFd::STDOUT)
    }

    /// Returns the child's stderr; it ends at once if the parent does not read it.
    ///
    /// Until this or another method asks for it, only its last [`HIGH_BYTES`](ChildOutput::HIGH_BYTES) are kept, and
    /// it never blocks the child. The kept bytes come first. From then on a slow reader slows the
    /// child down, as with every output.
    pub fn stderr(&mut self) -> &mut ChildOutput {
        self.output(ChildFd::STDERR)
    }

    /// Returns what the child writes to `fd`; it ends at once if the parent does not read it.
    pub fn output(&mut self, fd: impl Into<ChildFd>) -> &mut ChildOutput {
        let fd = fd.into();
        self.ask_for(fd);
        self.outputs.get_mut(&fd).unwrap_or(&mut self.none)
    }

    /// Takes an output out, to read it beside the others; returns `None` the second time.
    #[must_use = "what the child writes is thrown away when the output is dropped"]
    pub fn take_output(&mut self, fd: impl Into<ChildFd>) -> Option<ChildOutput> {
        let fd = fd.into();
        self.ask_for(fd);
        self.outputs.remove(&fd)
    }

    fn ask_for(&self, fd: ChildFd) {
        self.shared.0.with(|state| {
            if let Some(output) = state.outputs.get_mut(&fd) {
                output.on_asked_for();
            }
        });
    }

    /// Returns the kept bytes of a stderr that the program has not asked for: the last ones, at
    /// most [`HIGH_BYTES`](ChildOutput::HIGH_BYTES). This call does not ask for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{ChildError, Command, Handle, Reactor, SpawnProcess};
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.block_on(async {
    ///     let script = "echo reading >&2; echo out; echo no such key >&2; exit 2";
    ///     let mut child = Handle::current().spawn_child(Command::new("sh").args(["-c", script]))?;
    ///     assert_eq!(child.stdout().collect().await, b"out\n");
    ///     let error = child.ended().await.unwrap_err();
    ///     assert_eq!(error.to_string(), r#""sh" exited with status 2: no such key"#);
    ///     assert_eq!(child.stderr_tail(), b"reading\nno such key\n");
    ///     Ok::<_, ChildError>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stderr_tail(&self) -> Vec<u8> {
        self.shared.0.with(|state| {
            let tail = state.outputs.get(&ChildFd::STDERR).and_then(|output| output.tail.as_ref());
            tail.map(Tail::to_vec).unwrap_or_default()
        })
    }

    /// Returns how many bytes of all outputs were discarded. They are missing from outputs that are
    /// read after [`ended`](Self::ended), or came before the tail of a stderr that the program has
    /// not asked for.
    ///
    /// Bytes for an output that was dropped do not count.
    pub fn skipped_bytes(&self) -> u64 {
        self.shared.0.with(|state| {
            state.outputs.values().fold(0, |sum: u64, one| sum.saturating_add(one.skipped_bytes))
        })
    }

    /// Takes an input out, to write it beside a wait for the child; returns `None` the second time,
    /// and if the parent does not write `fd`.
    ///
    /// The input stays open during waits for the child, until its own drop. The methods of the
    /// child can still write and close it.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{ChildError, Command, Handle, Reactor, SpawnProcess};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let all = reactor.block_on(async {
    ///     let reactor = Handle::current();
    ///     let mut child = reactor.spawn_child(Command::new("cat"))?;
    ///     let mut input = child.take_input(0).expect("it is a pipe, and was not taken");
    ///     let mut output = child.take_output(1).expect("the same");
    ///     let all = reactor.spawn_local(async move { output.collect().await });
    ///     let written = reactor.spawn_local(async move { input.write("to and fro").await });
    ///     child.ended().await?;
    ///     written.await?;
    ///     Ok::<_, ChildError>(all.await)
    /// })?;
    /// assert_eq!(all, b"to and fro");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "dropping the input closes it"]
    pub fn take_input(&mut self, fd: impl Into<ChildFd>) -> Option<ChildInput> {
        let fd = fd.into();
        let (process, program) = (self.process.clone(), Rc::clone(&self.program));
        let shared = Rc::clone(&self.shared);
        // Not built for an input that is not here, because its drop would close the input.
        self.inputs.remove(&fd).then(|| ChildInput { fd, process, program, shared })
    }

    /// Returns the handle for all else: signals, other descriptors, the terminal.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Waits until the child is reaped; descendants may still hold its pipes open. To wait for the end
    /// of the outputs too, as [`Spawned::wait`](crate::Spawned::wait) does, use
    /// [`ended`](Self::ended).
    ///
    /// First it closes the inputs that were not [taken](Self::take_input), once their queued data
    /// is written, so that a child that reads can end; of a socketpair it closes the parent's
    /// direction. They stay closed even if the future is dropped. An input that a producer or a
    /// forwarding feeds is left to these. The input of a terminal stays open, because its close
    /// would hang up the child.
    ///
    /// # Errors
    ///
    /// The child ends with a status other than 0, by a signal, or with a lost status; or the
    /// reactor is gone.
    pub async fn wait(&mut self) -> Result<ProcessDone, ChildError> {
        self.close_inputs();
        self.until(|state| state.exited.clone()).await
    }

    /// Returns how the child ended, or `None` while it runs. Unlike [`wait`](Self::wait), it closes nothing.
    ///
    /// The loop reaps the child, so it must have had a turn since the end; this call does not look by
    /// itself.
    pub fn try_wait(&self) -> Option<ExitReason> {
        self.shared.0.with(|state| state.exited.clone())
    }

    /// Waits until the child is reaped and all its descriptors are closed.
    ///
    /// Inputs are closed first, as by [`Child::wait`].
    ///
    /// Output that the program does not take meanwhile does not block the child: above
    /// [`HIGH_BYTES`](ChildOutput::HIGH_BYTES) it is discarded and
    /// [counted](Self::skipped_bytes). If the future is
    /// dropped before the end, output is
    /// kept again.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`]. The error shows the last line of a stderr that the program has not
    /// asked for.
    #[doc(alias = "wait_with_output")]
    pub async fn ended(&mut self) -> Result<ProcessDone, ChildError> {
        self.close_inputs();
        let _discarding = DiscardGuard::begin(&self.process, &self.shared, &self.outputs);
        let ended = self.until(|state| state.ended.clone()).await;
        ended.map_err(|error| match (error, last_line(&self.stderr_tail())) {
            (ChildError::Terminated { program, reason }, Some(line)) => {
                ChildError::Terminated { program, reason: reason.with_stderr_line(line) }
            }
            (error, _) => error,
        })
    }

    /// Closes the inputs that were not taken: no more data will come on them.
    fn close_inputs(&self) {
        for fd in &self.inputs {
            self.backend.close_idle_input(&self.process, *fd);
        }
    }

    async fn until(
        &self,
        known: impl Fn(&DialogueState) -> Option<ExitReason>,
    ) -> Result<ProcessDone, ChildError> {
        let reason = poll_fn(|cx| {
            let (reason, gone) = self.shared.0.with(|state| (known(state), state.gone));
            match reason {
                Some(reason) => Poll::Ready(Some(reason)),
                None if gone => Poll::Ready(None),
                None => {
                    self.shared.wait(Waiter::Child, cx);
                    Poll::Pending
                }
            }
        })
        .await;
        let program = || self.program.as_ref().into();
        let reason = reason.ok_or_else(|| ChildError::ReactorGone { program: program() })?;
        reason.map_err(|reason| ChildError::Terminated { program: program(), reason })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.backend.end_with_owner(&self.process, self.kill_grace);
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("process", &self.process).finish_non_exhaustive()
    }
}
