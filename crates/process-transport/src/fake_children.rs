//! Fake children, for tests of code that starts children.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::rc::Rc;

use procession_core::Deferred;
use procession_core::driver::WithCell;
use procession_protocol::{ChildFd, FakeFd, FakeProcess, Process, ProcessProtocol};

use crate::adopt_error::AdoptError;
use crate::async_child::Child;
use crate::command::Command;
use crate::error::SpawnError;
use crate::pipeline::{Pipeline, RunningPipeline, no_stages};
use crate::sealed::SealedSpawnProcess;
use crate::spawned::Spawned;
use crate::verbs::SpawnProcess;

/// A starter of fake children, for tests; cheap to clone.
///
/// Code under test takes an `impl SpawnProcess`. A test passes a `FakeChildren` instead of a reactor,
/// looks at the commands, and acts as each child through its [`FakeProcess`]. No process is started.
/// Commands are not checked, but a pipeline must have stages. A fake has the descriptors of which its
/// command gives the parent an end; a terminal is replaced by two pipes. It leads a group of its own,
/// also if its command does not ask for one.
///
/// Children that the test does not take live until the last clone is dropped.
///
/// # Examples
///
/// ```
/// use procession::{
///     Command, ExitReason, FakeChildren, Process, ProcessProtocol, SpawnError, SpawnProcess,
///     Step,
/// };
///
/// /// Starts its program again if the program fails.
/// struct Supervised<S>(S);
///
/// impl<S: SpawnProcess + Clone + 'static> ProcessProtocol for Supervised<S> {
///     fn process_ended(&mut self, _: &Process, reason: ExitReason) {
///         if reason.is_err() {
///             supervise(&self.0).ok();
///         }
///     }
/// }
///
/// fn supervise(children: &(impl SpawnProcess + Clone + 'static)) -> Result<Process, SpawnError> {
///     children.spawn_process(Supervised(children.clone()), Command::new("server").arg("--port=80"))
/// }
///
/// let children = FakeChildren::new();
/// supervise(&children)?;
/// let (command, mut first) = children.take().unwrap();
/// assert_eq!(command.get_program(), "server");
/// first.exit(1);
/// let (_, mut second) = children.take().expect("it was started again");
/// second.exit(0);
/// assert!(children.take().is_none());
///
/// children.refuse(SpawnError::new(Step::Exec, "server", std::io::ErrorKind::NotFound));
/// assert!(supervise(&children).is_err());
/// # Ok::<(), SpawnError>(())
/// ```
#[derive(Clone, Default)]
#[doc(alias = "mock")]
#[doc(alias = "MemoryReactor")]
pub struct FakeChildren(Rc<WithCell<FakeChildrenState>>);

#[derive(Default)]
struct FakeChildrenState {
    commands: Vec<Command>,
    /// The children that the test has not taken, each with the index of its command, in that order.
    /// `None` while `connection_made` runs.
    children: VecDeque<(usize, Option<FakeProcess>)>,
    refusals: VecDeque<SpawnError>,
}

impl FakeChildren {
    /// Creates a starter that has no children yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns every command so far, in order; for a pipeline, the commands of its stages.
    pub fn commands(&self) -> Vec<Command> {
        self.0.with(|state| state.commands.clone())
    }

    /// Takes the oldest child that was not taken yet, with its command.
    pub fn take(&self) -> Option<(Command, FakeProcess)> {
        self.0.with(|state| {
            let at = state.children.iter().position(|(_, fake)| fake.is_some())?;
            let (command, fake) = state.children.remove(at)?;
            Some((state.commands.get(command)?.clone(), fake?))
        })
    }

    /// Makes the next call that starts children fail with `error`. Further errors apply to the calls after
    /// it, one to each.
    pub fn refuse(&self, error: SpawnError) {
        self.0.with(|state| state.refusals.push_back(error));
    }

    /// Adds the commands of one call to the list, and returns the index of the first.
    fn admit(&self, commands: &[&Command]) -> Result<usize, SpawnError> {
        let commands: Vec<Command> = commands.iter().map(|command| (*command).clone()).collect();
        self.0.with(|state| {
            let first = state.commands.len();
            state.commands.extend(commands);
            state.refusals.pop_front().map_or(Ok(first), Err)
        })
    }

    /// Creates the fake of the command at this index. This calls `connection_made`.
    fn start(&self, at: usize, command: &Command, protocol: Box<dyn ProcessProtocol>) -> Process {
        self.0.with(|state| state.children.push_back((at, None)));
        let fake = FakeProcess::with_fds(protocol, fds(command));
        let process = fake.process().clone();
        self.0.with(|state| {
            if let Some((_, place)) = state.children.iter_mut().find(|(number, _)| *number == at) {
                *place = Some(fake);
            }
        });
        process
    }
}

/// Returns the descriptors of which the parent has an end.
fn fds(command: &Command) -> Vec<(ChildFd, FakeFd)> {
    let (inputs, outputs) = (command.input_fds(), command.output_fds());
    let kind = |fd: &ChildFd| match (inputs.contains(fd), outputs.contains(fd)) {
        (true, true) => FakeFd::Socketpair,
        (true, false) => FakeFd::ToChild,
        (false, _) => FakeFd::FromChild,
    };
    inputs.iter().chain(&outputs).map(|fd| (*fd, kind(fd))).collect()
}

impl SealedSpawnProcess for FakeChildren {}

impl SpawnProcess for FakeChildren {
    fn spawn_process(
        &self,
        protocol: impl ProcessProtocol + 'static,
        command: impl Into<Command>,
    ) -> Result<Process, SpawnError> {
        let command = command.into();
        let at = self.admit(&[&command])?;
        Ok(self.start(at, &command, Box::new(protocol)))
    }

    fn spawn_process_soon(
        &self,
        protocol: impl ProcessProtocol + 'static,
        command: impl Into<Command>,
    ) -> Deferred<Process, SpawnError> {
        Deferred::ready(self.spawn_process(protocol, command))
    }

    fn adopt(
        &self,
        _: impl ProcessProtocol + 'static,
        spawned: Spawned,
    ) -> Result<Process, AdoptError> {
        let why = "fake children take none that run";
        Err(AdoptError::new(spawned, io::Error::new(io::ErrorKind::Unsupported, why)))
    }

    fn spawn_child(&self, command: impl Into<Command>) -> Result<Child, SpawnError> {
        let command = command.into();
        Child::of_fake(&command, |bridge| {
            let at = self.admit(&[&command])?;
            Ok(self.start(at, &command, bridge))
        })
    }

    fn spawn_pipeline(&self, pipeline: Pipeline) -> Result<RunningPipeline, SpawnError> {
        let stages = pipeline.into_stages();
        if stages.is_empty() {
            return Err(no_stages());
        }
        let commands: Vec<&Command> = stages.iter().map(|(command, _)| command).collect();
        let first = self.admit(&commands)?;
        let numbered = stages.into_iter().zip(first..);
        let start = |((command, protocol), at)| self.start(at, &command, protocol);
        Ok(RunningPipeline::new(numbered.map(start).collect()))
    }
}

impl fmt::Debug for FakeChildren {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeChildren").field("commands", &self.commands()).finish_non_exhaustive()
    }
}
