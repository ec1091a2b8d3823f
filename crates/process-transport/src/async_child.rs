//! A child as async code: its output as streams, writes that wait, an end to await.
//!
//! # Model
//!
//! A [`Child`] shares a small state with its outputs and with a protocol of its own. Output is kept
//! there until it is taken; above [`ChildOutput::HIGH_BYTES`] its descriptor is paused, and resumed when the
//! program has taken what there was, so that a slow consumer slows the child, not memory.
//!
//! Of a stderr the last [`ChildOutput::HIGH_BYTES`] are kept until somebody asks for it, and it is not paused:
//! a program that reads stdout alone is not held up by what it does not look at.

mod behind;
mod bridge;
mod error;
mod input;
mod lines;
mod output;
mod shared;
mod tail;

pub use error::ChildError;
pub use input::ChildInput;
pub use lines::Lines;
pub use output::ChildOutput;

use self::behind::Behind;
use self::bridge::Bridge;
use self::shared::{Shared, State, Waiter};
use self::tail::{Tail, last_line};
use crate::adopt;
use crate::command::Command;
use crate::error::SpawnError;
use procession_core::{IntoBytes, WithCell};
use procession_protocol::{ChildFd, ExitReason, Process, ProcessDone, ProcessProtocol};
use procession_reactor::Handle;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// A child for async code, made by [`SpawnProcess::spawn_child`](crate::SpawnProcess::spawn_child).
///
/// Dropping it throws away the output that was not taken. The child runs on and is reaped, unless it
/// is [killed on drop](Command::kill_on_drop): then it is terminated, with its group where it is
/// [owned](Command::owned), by TERM and, after [`Command::kill_grace`], KILL. The drop does not wait for
/// it; the loop sees to it.
///
/// # Examples
///
/// ```
/// use procession_process_transport::{ChildError, Command, SpawnProcess};
/// use procession_reactor::{Handle, Reactor};
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
    behind: Behind,
    shared: Rc<Shared>,
    /// Those that were not taken.
    inputs: BTreeSet<ChildFd>,
    /// The same.
    outputs: BTreeMap<ChildFd, ChildOutput>,
    none: ChildOutput,
    /// Between TERM and KILL, where it is killed on drop.
    kill_grace: Duration,
}

impl Child {
    /// Starts a child whose events go into the shared state.
    pub(crate) fn spawn(reactor: &Handle, command: &Command) -> Result<Self, SpawnError> {
        Self::begin(command, |bridge| {
            let transport = adopt::spawn(reactor, bridge, command)?;
            Ok((Process::from_control(transport.clone()), Behind::Transport(transport)))
        })
    }

    /// The same for a child that is not there: `start` gives a protocol to a fake.
    pub(crate) fn of_fake(
        command: &Command,
        start: impl FnOnce(Box<dyn ProcessProtocol>) -> Result<Process, SpawnError>,
    ) -> Result<Self, SpawnError> {
        let kill_on_drop = command.ending.is_killed_on_drop(command.identity.owned);
        Self::begin(command, |bridge| Ok((start(bridge)?, Behind::Fake { kill_on_drop })))
    }

    fn begin(
        command: &Command,
        start: impl FnOnce(Box<dyn ProcessProtocol>) -> Result<(Process, Behind), SpawnError>,
    ) -> Result<Self, SpawnError> {
        let mut state = State::default();
        if command.output_fds().contains(&ChildFd::STDERR) {
            let stderr = state.outputs.entry(ChildFd::STDERR).or_default();
            stderr.tail = Some(Tail::default());
        }
        let shared = Rc::new(Shared(WithCell::new(state)));
        let (process, behind) = start(Box::new(Bridge(Rc::clone(&shared))))?;
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
        Ok(Self { process, program, behind, shared, inputs, outputs, none, kill_grace })
    }

    /// Writes to the child's stdin and waits until the queue is no longer full: at once where it is
    /// at its high limit or below, and else until it was drained.
    ///
    /// The data is queued at the first poll, also if the future is dropped after it.
    ///
    /// # Errors
    ///
    /// The child, or the program, has closed its stdin, be it while this waits; or there is none.
    pub async fn write(&mut self, data: impl IntoBytes) -> Result<(), ChildError> {
        self.write_to(ChildFd::STDIN, data).await
    }

    /// Does the same for any descriptor that the parent writes.
    ///
    /// # Errors
    ///
    /// As for [`Child::write`].
    pub async fn write_to(
        &mut self,
        fd: impl Into<ChildFd>,
        data: impl IntoBytes,
    ) -> Result<(), ChildError> {
        let written =
            input::write(&self.process, &self.shared, fd.into(), Waiter::Child, data).await;
        written.map_err(|error| ChildError::Write { program: self.program.as_ref().into(), error })
    }

    /// Closes the child's stdin once what is queued has gone.
    #[doc(alias = "shutdown")]
    pub fn close_stdin(&mut self) {
        self.process.close_stdin();
    }

    /// The child's stdout; ends at once where the parent does not read it.
    pub fn stdout(&mut self) -> &mut ChildOutput {
        self.output(ChildFd::STDOUT)
    }

    /// The child's stderr; ends at once where the parent does not read it.
    ///
    /// Until this, or another verb, asks for it, its last [`ChildOutput::HIGH_BYTES`] are kept, and the child
    /// is never held up by it. What is kept then comes first; from then on a slow reader slows the
    /// child, as with every output.
    pub fn stderr(&mut self) -> &mut ChildOutput {
        self.output(ChildFd::STDERR)
    }

    /// What the child writes to `fd`; ends at once where the parent does not read it.
    pub fn output(&mut self, fd: impl Into<ChildFd>) -> &mut ChildOutput {
        let fd = fd.into();
        self.ask_for(fd);
        self.outputs.get_mut(&fd).unwrap_or(&mut self.none)
    }

    /// Takes an output out, to be read beside the others; `None` the second time.
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

    /// What is kept of a stderr that nobody has asked for: its last bytes, [`ChildOutput::HIGH_BYTES`] at
    /// most. Looking does not ask for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_process_transport::{ChildError, Command, SpawnProcess};
    /// use procession_reactor::{Handle, Reactor};
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

    /// How many bytes were thrown away of all outputs: what is missing of them, if they are read after
    /// [`ended`](Self::ended), or what of a stderr that nobody has asked for came before its tail.
    ///
    /// What comes for an output that was dropped is not counted.
    pub fn skipped_bytes(&self) -> u64 {
        self.shared.0.with(|state| {
            state.outputs.values().fold(0, |sum: u64, one| sum.saturating_add(one.skipped_bytes))
        })
    }

    /// Takes an input out, to be written beside whatever waits for the child; `None` the second time,
    /// and where the parent does not write `fd`.
    ///
    /// It stays open while the child is waited for, until it is dropped. The verbs of the child reach
    /// it all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_process_transport::{ChildError, Command, SpawnProcess};
    /// use procession_reactor::{Handle, Reactor};
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
        // Not made where it is not to be: its drop would close the input.
        self.inputs.remove(&fd).then(|| ChildInput { fd, process, program, shared })
    }

    /// The handle for everything else: signals, other descriptors, the terminal.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Waits until the child is reaped; descendants may still hold its pipes.
    ///
    /// The inputs that were not [taken](Self::take_input) are closed first, once what is queued has
    /// gone, so that a child that reads comes to its end; of a socketpair it is the parent's
    /// direction. They stay closed, also where the future is dropped. An input that a producer or a
    /// forwarding feeds is theirs to close. The input of a terminal stays open: its close would hang
    /// the child up.
    ///
    /// # Errors
    ///
    /// A status other than 0, a signal, a lost status; or the reactor is gone.
    pub async fn wait(&mut self) -> Result<ProcessDone, ChildError> {
        self.close_inputs();
        self.until(|state| state.exited.clone()).await
    }

    /// Waits until the child is reaped and all its descriptors are closed.
    ///
    /// Inputs are closed first, as by [`Child::wait`].
    ///
    /// Meanwhile output that nobody takes does not hold the child up: above [`ChildOutput::HIGH_BYTES`] it
    /// is thrown away, and [counted](Self::skipped_bytes). Once the future is dropped before the end,
    /// what comes is kept again.
    ///
    /// # Errors
    ///
    /// As for [`Child::wait`]. The error shows the last line of a stderr that nobody has asked for.
    #[doc(alias = "wait_with_output")]
    pub async fn ended(&mut self) -> Result<ProcessDone, ChildError> {
        self.close_inputs();
        let _discarding = self.discard_outputs();
        let ended = self.until(|state| state.ended.clone()).await;
        ended.map_err(|error| match (error, last_line(&self.stderr_tail())) {
            (ChildError::Terminated { program, reason }, Some(line)) => {
                ChildError::Terminated { program, reason: reason.with_stderr_line(line) }
            }
            (error, _) => error,
        })
    }

    /// Nothing more is to come on the inputs that nobody has.
    fn close_inputs(&self) {
        for fd in &self.inputs {
            self.behind.close_idle_input(&self.process, *fd);
        }
    }

    async fn until(
        &self,
        known: impl Fn(&State) -> Option<ExitReason>,
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

    /// The outputs that are still here will not be read while this child is waited for.
    fn discard_outputs(&self) -> Discarding<'_> {
        let discarding = Discarding(self);
        for fd in self.outputs.keys() {
            let paused = self.shared.0.with(|state| {
                let output = state.outputs.entry(*fd).or_default();
                output.discarding = true;
                mem::take(&mut output.paused)
            });
            if paused {
                self.process.resume(*fd);
            }
        }
        discarding
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.behind.end_with_owner(&self.process, self.kill_grace);
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("process", &self.process).finish_non_exhaustive()
    }
}

/// Ends the discarding when it is dropped: whoever has given up waiting may read again.
#[must_use]
struct Discarding<'a>(&'a Child);

impl Drop for Discarding<'_> {
    fn drop(&mut self) {
        self.0.shared.0.with(|state| {
            for fd in self.0.outputs.keys() {
                state.outputs.entry(*fd).or_default().discarding = false;
            }
        });
    }
}
