//! [`BackgroundChild`]: a child on the loop of a background, for any executor.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use procession_core::driver::{Answer, Reply};
use procession_core::{IntoBytes, Signal, WriteError};
use procession_process_transport::{Child, ChildError, Command};
use procession_protocol::{ChildFd, ProcessDone, SignalError, Termination};

use super::actor::{self, ChildVerb, SignalTo, WaitFor};
use super::byte_queue::{ByteQueue, Consumer, Producer};
use super::input::BackgroundInput;
use super::mailbox::Mailbox;
use super::output::BackgroundOutput;
use super::pending::{InBackground, Place};
use super::tasks::LoopContext;

/// A child on the loop of a background, made by
/// [`Background::spawn_child`](crate::Background::spawn_child). It can be sent to other threads.
///
/// It is the [`Child`] of a loop, with the same rules: a slow reader slows the child down; a stderr
/// that the program has not asked for does not block it. Its drop discards the output that was not
/// taken. The child runs on and is reaped, unless it is [killed on drop](Command::kill_on_drop):
/// then it is terminated, an [owned](Command::owned) child with its group. The drop does not wait.
///
/// # Examples
///
/// ```
/// use procession::{Background, ChildError, Command};
///
/// # fn block_on<T>(future: impl Future<Output = T>) -> T { futures_lite::future::block_on(future) }
/// let background = Background::start()?;
/// let output = block_on(async {
///     let mut child = background.spawn_child(Command::new("cat")).await?;
///     child.write(b"hello\n").await?;
///     child.close_stdin();
///     let output = child.stdout().collect().await;
///     child.wait().await?;
///     Ok::<_, ChildError>(output)
/// })?;
/// assert_eq!(output, b"hello\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it ends the dialogue, and the child that is killed on drop"]
pub struct BackgroundChild {
    pid: Option<u32>,
    /// For messages.
    program: Arc<OsStr>,
    verbs: Arc<Mailbox<ChildVerb>>,
    at: Place,
    /// The inputs that were not taken.
    inputs: BTreeMap<ChildFd, Lazy<BackgroundInput>>,
    /// The outputs that were not taken.
    outputs: BTreeMap<ChildFd, Lazy<BackgroundOutput>>,
    none: BackgroundOutput,
}

/// Bytes that the loop moves only from the first use on.
struct Lazy<T> {
    end: T,
    is_moving: bool,
}

impl<T> Lazy<T> {
    fn new(end: T) -> Self {
        Self { end, is_moving: false }
    }
}

impl BackgroundChild {
    /// Gives a child of the loop to a task, and returns its handle.
    pub(super) fn begin(context: &LoopContext, child: Child, command: &Command, at: Place) -> Self {
        let program: Arc<OsStr> = command.get_program().into();
        let verbs = Arc::new(Mailbox::new());
        let pid = child.process().pid();
        context.spawn(actor::act(context.clone(), child, Arc::clone(&verbs)));
        let input = |fd| (fd, Lazy::new(BackgroundInput::new(Arc::clone(&program))));
        let inputs = command.input_fds().into_iter().map(input).collect();
        let output = |fd| (fd, Lazy::new(BackgroundOutput::new()));
        let outputs = command.output_fds().into_iter().map(output).collect();
        Self { pid, program, verbs, at, inputs, outputs, none: BackgroundOutput::none() }
    }

    /// Returns the process id that the child got. Once it was reaped, the number may belong to
    /// another process. `None` if the child had ended already at its start.
    #[doc(alias = "id")]
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Writes to the child's stdin, as [`BackgroundInput::write`] does.
    ///
    /// # Errors
    ///
    /// As for [`BackgroundInput::write`]; or the child has no stdin.
    pub async fn write(&mut self, data: impl IntoBytes) -> Result<(), ChildError> {
        self.write_to(ChildFd::STDIN, data).await
    }

    /// Does the same as [`write`](Self::write), for any descriptor that the parent writes.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    pub async fn write_to(
        &mut self,
        fd: impl Into<ChildFd>,
        data: impl IntoBytes,
    ) -> Result<(), ChildError> {
        let fd = fd.into();
        self.move_input(fd);
        match self.inputs.get_mut(&fd) {
            Some(input) => input.end.write(data).await,
            None => {
                let error = WriteError::UnknownFd;
                Err(ChildError::Write { program: self.program.as_ref().into(), error })
            }
        }
    }

    /// Closes the child's stdin once the queued data is written, unless it was
    /// [taken](Self::take_input).
    #[doc(alias = "shutdown")]
    pub fn close_stdin(&mut self) {
        self.close_input(ChildFd::STDIN);
    }

    /// Returns the child's stdout; it ends at once if the parent does not read it.
    pub fn stdout(&mut self) -> &mut BackgroundOutput {
        self.output(ChildFd::STDOUT)
    }

    /// Returns the child's stderr; it ends at once if the parent does not read it.
    ///
    /// Until this or another method asks for it, only its last 256 KiB are kept, and it never
    /// blocks the child. The kept bytes come first.
    pub fn stderr(&mut self) -> &mut BackgroundOutput {
        self.output(ChildFd::STDERR)
    }

    /// Returns what the child writes to `fd`; it ends at once if the parent does not read it.
    pub fn output(&mut self, fd: impl Into<ChildFd>) -> &mut BackgroundOutput {
        let fd = fd.into();
        self.move_output(fd);
        self.outputs.get_mut(&fd).map_or(&mut self.none, |output| &mut output.end)
    }

    /// Takes an output out, to read it beside the others; returns `None` the second time.
    #[must_use = "what the child writes is thrown away when the output is dropped"]
    pub fn take_output(&mut self, fd: impl Into<ChildFd>) -> Option<BackgroundOutput> {
        let fd = fd.into();
        self.move_output(fd);
        self.outputs.remove(&fd).map(|output| output.end)
    }

    /// Takes an input out, to write it beside a wait for the child; returns `None` the second time,
    /// and if the parent does not write `fd`.
    ///
    /// The input stays open during waits for the child, until its own drop or close.
    #[must_use = "dropping the input closes it"]
    pub fn take_input(&mut self, fd: impl Into<ChildFd>) -> Option<BackgroundInput> {
        let fd = fd.into();
        self.move_input(fd);
        self.inputs.remove(&fd).map(|input| input.end)
    }

    /// Waits until the child is reaped; descendants may still hold its pipes open.
    ///
    /// First it closes the inputs that were not [taken](Self::take_input), once their queued data
    /// is written. They stay closed even if the future is dropped.
    ///
    /// # Errors
    ///
    /// The child ends with a status other than 0, by a signal, or with a lost status; or the
    /// background was stopped.
    pub async fn wait(&mut self) -> Result<ProcessDone, ChildError> {
        self.close_inputs();
        self.wait_for(WaitFor::Exit).await
    }

    /// Waits until the child is reaped and all its descriptors are closed.
    ///
    /// Inputs are closed first, as by [`wait`](Self::wait). An output that was not
    /// [taken](Self::take_output) does not block the child meanwhile: it keeps at most 1.5 MiB, which
    /// can be read afterwards, and the rest is discarded. If the future is dropped before the end,
    /// output is kept again. An output that was taken is for its owner to read.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait). The error shows the last line of a stderr that the program has
    /// not asked for.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Background, Command};
    ///
    /// # fn block_on<T>(future: impl Future<Output = T>) -> T { futures_lite::future::block_on(future) }
    /// let background = Background::start()?;
    /// let script = Command::new("sh").args(["-c", "seq 1000000; echo no such key >&2; exit 2"]);
    /// let error = block_on(async {
    ///     let mut child = background.spawn_child(script).await?;
    ///     child.ended().await
    /// });
    /// assert_eq!(error.unwrap_err().to_string(), r#""sh" exited with status 2: no such key"#);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "wait_with_output")]
    pub async fn ended(&mut self) -> Result<ProcessDone, ChildError> {
        self.close_inputs();
        let queues = self.outputs.values().map(|output| Arc::clone(&output.end.queue));
        let _discarding = Discarding::begin(queues.collect());
        self.wait_for(WaitFor::End).await
    }

    fn close_inputs(&mut self) {
        let inputs: Vec<ChildFd> = self.inputs.keys().copied().collect();
        for fd in inputs {
            self.close_input(fd);
        }
    }

    fn wait_for(&self, wait_for: WaitFor) -> InBackground<ProcessDone, ChildError> {
        let program = Arc::clone(&self.program);
        let gone = move || ChildError::ReactorGone { program: program.as_ref().into() };
        self.ask(|reply| ChildVerb::Wait(wait_for, reply), gone)
    }

    /// Sends a signal to the child.
    ///
    /// # Errors
    ///
    /// As for [`Process::signal`](procession_protocol::Process::signal).
    pub fn signal(&self, signal: Signal) -> InBackground<(), SignalError> {
        let verb = |reply| ChildVerb::Signal(SignalTo::Process, signal, reply);
        self.ask(verb, || SignalError::ReactorGone)
    }

    /// Sends a signal to the child's process group.
    ///
    /// # Errors
    ///
    /// As for [`Process::signal_group`](procession_protocol::Process::signal_group).
    pub fn signal_group(&self, signal: Signal) -> InBackground<(), SignalError> {
        let verb = |reply| ChildVerb::Signal(SignalTo::Group, signal, reply);
        self.ask(verb, || SignalError::ReactorGone)
    }

    /// Sends a signal, and after `grace` KILL, to the child or to the group that it leads. The
    /// result comes when they have ended. Dropping the result does not stop the termination.
    ///
    /// # Errors
    ///
    /// As for [`Process::terminate`](procession_protocol::Process::terminate).
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Background, Command, Signal};
    /// use std::time::Duration;
    ///
    /// let background = Background::start()?;
    /// let child = background.spawn_child(Command::new("sleep").arg("600")).wait()?;
    /// let ended = child.terminate(Signal::TERM, Duration::from_secs(2)).wait()?;
    /// assert_eq!(ended.signal(), Some(Signal::TERM));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "kill")]
    pub fn terminate(
        &self,
        signal: Signal,
        grace: Duration,
    ) -> InBackground<Termination, SignalError> {
        let verb = |reply| ChildVerb::Terminate(signal, grace, reply);
        self.ask(verb, || SignalError::ReactorGone)
    }

    fn ask<T, E>(
        &self,
        verb: impl FnOnce(Reply<Result<T, E>>) -> ChildVerb,
        gone: impl Fn() -> E + Send + Sync + 'static,
    ) -> InBackground<T, E> {
        let (reply, answer) = Answer::new();
        self.verbs.send(verb(reply));
        InBackground::new(answer, self.at, gone)
    }

    /// Has the loop move this output from now on.
    fn move_output(&mut self, fd: ChildFd) {
        if let Some(output) = self.outputs.get_mut(&fd).filter(|output| !output.is_moving) {
            output.is_moving = true;
            let queue = Producer(Arc::clone(&output.end.queue));
            self.verbs.send(ChildVerb::Read(fd, queue));
        }
    }

    fn move_input(&mut self, fd: ChildFd) {
        if let Some(input) = self.inputs.get_mut(&fd).filter(|input| !input.is_moving) {
            input.is_moving = true;
            let queue = Consumer(Arc::clone(&input.end.queue));
            self.verbs.send(ChildVerb::Write(fd, queue));
        }
    }

    /// Closes an input that was not taken, once its queued data is written.
    fn close_input(&mut self, fd: ChildFd) {
        self.move_input(fd);
        if let Some(input) = self.inputs.get(&fd) {
            input.end.queue.finish();
        }
    }
}

/// Queues that drop what does not fit, until this is dropped: a program that stopped waiting may read
/// again.
struct Discarding(Vec<Arc<ByteQueue>>);

impl Discarding {
    fn begin(queues: Vec<Arc<ByteQueue>>) -> Self {
        for queue in &queues {
            queue.set_discards(true);
        }
        Self(queues)
    }
}

impl Drop for Discarding {
    fn drop(&mut self) {
        for queue in &self.0 {
            queue.set_discards(false);
        }
    }
}

impl Drop for BackgroundChild {
    fn drop(&mut self) {
        self.verbs.finish();
    }
}

impl fmt::Debug for BackgroundChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundChild").field("pid", &self.pid).finish_non_exhaustive()
    }
}
