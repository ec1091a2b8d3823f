//! Pipelines: children whose standard output is the standard input of the next one.
//!
//! A pipe between two stages belongs to them alone: its bytes never enter this process, which keeps
//! no descriptor of it. All stages are started before the loop knows any of them. So if a stage
//! does not start, those before it can be ended with it, without any callback.

use std::fmt;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use procession_core::driver::FirstPanic;
use procession_core::{Deferred, NoError, Promise, gather};
use procession_protocol::driver::ProcessControl;
use procession_protocol::{ChildFd, Event, ExitReason, Process, ProcessProtocol};
use procession_reactor::Handle;
use procession_reactor::driver::Machine;

use crate::adopt::{self, refuse_if_gone};
use crate::child::ChildTransport;
use crate::command::{Command, Fd};
use crate::error::{SpawnError, Step};
use crate::program_end::AtProgramEnd;
use crate::recording;
use crate::spawned::Spawned;
use crate::sys::platform::pipe_above_stdio;

/// A description of several children; the standard output of each is the standard input of the
/// next.
///
/// [`spawn_pipeline`](crate::SpawnProcess::spawn_pipeline) starts it, and
/// [`pipeline_output`](crate::SpawnProcess::pipeline_output) also keeps what the last stage prints.
///
/// The descriptors of each [`Command`] apply, except 1 of every stage but the last and 0 of every
/// stage but the first. So by default 0 of the first stage is a pipe that the program writes and
/// closes, and 2 of every stage is a pipe that the loop reads; for a stage without a protocol it
/// discards the data.
///
/// A stage whose successor ends early gets SIGPIPE, as in a shell. A stage cannot have a terminal:
/// spawn that program by itself, and [forward](Process::forward) its output.
///
/// # Examples
///
/// ```
/// use procession::{Command, ExitReasonExt, Pipeline, Reactor, SpawnProcess};
///
/// let mut reactor = Reactor::new()?;
/// let pipeline = Pipeline::new()
///     .stage(Command::new("printf").arg("b\\na\\n"))
///     .stage(Command::new("sort"))
///     .stage(Command::new("grep").args(["-c", "x"]));
/// let running = reactor.spawn_pipeline(pipeline)?;
/// let reasons = reactor.block_on(running.ended())?;
/// let codes: Vec<_> = reasons.iter().map(ExitReasonExt::exit_code).collect();
/// assert_eq!(codes, [Some(0), Some(0), Some(1)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
#[must_use = "a pipeline does nothing until it is spawned"]
pub struct Pipeline {
    stages: Vec<Stage>,
}

struct Stage {
    command: Command,
    protocol: Box<dyn ProcessProtocol>,
}

/// The output of the last stage, and how each stage ended.
pub(crate) type PipelineOutput = Deferred<(Bytes, Vec<ExitReason>), NoError>;

/// The children of a running pipeline.
///
/// Its drop does nothing: the children run on, and are reaped.
pub struct RunningPipeline {
    processes: Vec<Process>,
}

impl Pipeline {
    /// Creates a pipeline without stages, which cannot be spawned yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stage of which only the end is reported.
    pub fn stage(self, command: impl Into<Command>) -> Self {
        self.stage_with(IgnoreEvents, command)
    }

    /// Adds a stage with a protocol for its events, for instance the last one for its output.
    pub fn stage_with(
        mut self,
        protocol: impl ProcessProtocol + 'static,
        command: impl Into<Command>,
    ) -> Self {
        self.stages.push(Stage { command: command.into(), protocol: Box::new(protocol) });
        self
    }

    /// Puts a protocol around that of the last stage, which keeps what the stage prints.
    pub(crate) fn keep_output(mut self) -> (Self, Deferred<Bytes, NoError>) {
        let (promise, result) = Deferred::new();
        if let Some(Stage { command, protocol }) = self.stages.pop() {
            let protocol =
                Box::new(KeepOutput { inner: protocol, output: BytesMut::new(), promise });
            self.stages.push(Stage { command, protocol });
        }
        (self, result)
    }

    /// Hands the stages out, for fakes of them.
    pub(crate) fn into_stages(self) -> Vec<(Command, Box<dyn ProcessProtocol>)> {
        self.stages.into_iter().map(|stage| (stage.command, stage.protocol)).collect()
    }

    pub(crate) fn spawn(self, reactor: &Handle) -> Result<RunningPipeline, SpawnError> {
        let Some(first) = self.stages.first() else {
            return Err(no_stages());
        };
        refuse_if_gone(reactor, &first.command)?;
        let mut begun = StartedStages::default();
        let mut input: Option<OwnedFd> = None;
        let mut stages = self.stages.into_iter().peekable();
        while let Some(Stage { mut command, protocol }) = stages.next() {
            if let Some(read) = input.take() {
                command = command.helper_fd(ChildFd::STDIN, Fd::inherit(read), NO_TERMINAL);
            }
            if stages.peek().is_some() {
                let (read, write) = pipe(&command)?;
                command = command.helper_fd(ChildFd::STDOUT, Fd::inherit(write), NO_TERMINAL);
                input = Some(read);
            }
            let spawned = Spawned::start(&command, AtProgramEnd::of_reactor(reactor))?;
            let protocol = recording::recorded(reactor, &command, protocol);
            begun.0.push(StartedStage { command, spawned, protocol });
        }
        let transports = register(reactor, begun)?;
        let processes = transports.iter().map(|t| t.clone().into_process()).collect();
        let mut panics = FirstPanic::default();
        for transport in &transports {
            panics.catch(|| transport.made());
        }
        panics.resume();
        Ok(RunningPipeline::new(processes))
    }
}

pub(crate) fn no_stages() -> SpawnError {
    SpawnError::invalid("pipeline", "it has no stages")
}

/// The reason why a stage cannot have a terminal.
const NO_TERMINAL: &str = "the stages of a pipeline are joined by pipes, and this one has a terminal: spawn the program that needs a \
                           terminal by itself, and forward its output (Process::forward)";

/// A stage that runs and is not registered with the loop yet.
struct StartedStage {
    command: Command,
    spawned: Spawned,
    protocol: Box<dyn ProcessProtocol>,
}

/// The stages that are started so far. Its drop kills and reaps them.
#[derive(Default)]
struct StartedStages(Vec<StartedStage>);

impl Drop for StartedStages {
    fn drop(&mut self) {
        for stage in self.0.drain(..) {
            stage.spawned.end_now();
        }
    }
}

/// Registers all stages, or none.
fn register(
    reactor: &Handle,
    mut begun: StartedStages,
) -> Result<Vec<Rc<ChildTransport>>, SpawnError> {
    let mut transports: Vec<Rc<ChildTransport>> = Vec::with_capacity(begun.0.len());
    while !begun.0.is_empty() {
        let StartedStage { command, spawned, protocol } = begun.0.remove(0);
        match adopt::register(reactor, protocol, &command, spawned) {
            Ok(transport) => transports.push(transport),
            Err(error) => {
                for transport in transports {
                    transport.give_up();
                }
                return Err(error);
            }
        }
    }
    Ok(transports)
}

/// Makes a pipe with both ends blocking, as a child expects, and above the numbers that the child
/// gets.
fn pipe(command: &Command) -> Result<(OwnedFd, OwnedFd), SpawnError> {
    let failed = |error| SpawnError::new(Step::Pipe, &command.program, error);
    pipe_above_stdio().map_err(|error| failed(error).by("cannot make the pipe behind"))
}

impl RunningPipeline {
    /// Returns the stages, of which there is one at least.
    pub(crate) fn new(processes: Vec<Process>) -> Self {
        Self { processes }
    }

    /// The children, in the order of the stages.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// Returns the first stage, whose standard input the program writes and closes.
    #[expect(clippy::missing_panics_doc, reason = "a pipeline without stages is not spawned")]
    pub fn first(&self) -> &Process {
        self.processes.first().expect("a pipeline without stages is not spawned")
    }

    /// Returns the last stage.
    #[expect(clippy::missing_panics_doc, reason = "a pipeline without stages is not spawned")]
    pub fn last(&self) -> &Process {
        self.processes.last().expect("a pipeline without stages is not spawned")
    }

    /// Returns how each stage ended, in the order of the stages, once all have ended.
    ///
    /// Fails with `Failed::Abandoned` if a protocol panicked, or if the reactor was dropped before.
    pub fn ended(self) -> Deferred<Vec<ExitReason>, NoError> {
        gather(self.processes.iter().map(Process::ended))
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.stages.iter().map(|stage| &stage.command)).finish()
    }
}

impl fmt::Debug for RunningPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunningPipeline").field(&self.processes).finish()
    }
}

/// The protocol of a stage that has none of its own.
struct IgnoreEvents;

impl ProcessProtocol for IgnoreEvents {}

/// Keeps the standard output of a stage, and passes every event on.
struct KeepOutput {
    inner: Box<dyn ProcessProtocol>,
    output: BytesMut,
    promise: Promise<Bytes, NoError>,
}

impl ProcessProtocol for KeepOutput {
    fn on_event(&mut self, process: &Process, event: Event) {
        if let Event::Data(ChildFd::STDOUT, data) = &event {
            self.output.extend_from_slice(data);
        }
        let is_end = matches!(event, Event::Ended(_));
        self.inner.on_event(process, event);
        if is_end {
            self.promise.complete(Ok(self.output.split().freeze()));
        }
    }
}
