//! The verbs that this crate adds to a reactor's handle.

use crate::adopt;
use crate::adopt_error::AdoptError;
use crate::async_child::Child;
use crate::command::Command;
use crate::error::SpawnError;
use crate::pipeline::{Pipeline, RunningPipeline};
use crate::sealed::Sealed;
use crate::spawned::Spawned;
use procession_protocol::{Process, ProcessProtocol};
use procession_reactor::Handle;

/// Spawning, as a method of [`Handle`] and so of `Reactor`.
///
/// This trait is sealed: nobody else implements it, so methods may be added. Code that is to be tested
/// without children takes an `impl SpawnProcess`, which [`FakeChildren`](crate::FakeChildren) is too.
pub trait SpawnProcess: Sealed {
    /// Starts a child and gives its events to `protocol`.
    ///
    /// In this order: the command is checked, users and groups are looked up, pipes are made, the
    /// child is cloned, its exec is waited for, its descriptors are registered, and
    /// [`connection_made`](ProcessProtocol::connection_made) is called. Nothing else is called back
    /// before the loop runs, even if the child is dead by then.
    ///
    /// The calling thread stands still from the clone to the exec: some 50 µs on an idle machine, 80
    /// to 350 µs where others want the processors, milliseconds at the worst. `SIGSTOP`, which nothing
    /// can hold off, holds it until `SIGCONT` where somebody sends it to the child in that time. If
    /// the parent dies in that time, or another of its threads executes a program, its POSIX locks on
    /// files are kept until the child runs on.
    ///
    /// When `run` stops, the parent's ends of every child are closed in the *during* phase
    /// of the shutdown, after what the kernel takes at once was written; no child is killed.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] says which step failed. Protocol and command are then dropped, and nothing was
    /// called back.
    ///
    /// # Panics
    ///
    /// A panic of `connection_made` unwinds out of this call; the child runs on without a protocol
    /// and is reaped.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_process_transport::{Command, SpawnProcess};
    /// use procession_protocol::{ExitReason, Process, ProcessProtocol};
    /// use procession_reactor::{Handle, Reactor};
    ///
    /// struct Report;
    /// impl ProcessProtocol for Report {
    ///     fn process_ended(&mut self, _: &Process, reason: ExitReason) {
    ///         assert_eq!(reason.unwrap_err().to_string(), "exited with status 3");
    ///         Handle::current().stop();
    ///     }
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.spawn_process(Report, Command::new("sh").args(["-c", "exit 3"]))?;
    /// reactor.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "spawnProcess")]
    fn spawn_process(
        &self,
        protocol: impl ProcessProtocol + 'static,
        command: impl Into<Command>,
    ) -> Result<Process, SpawnError>;

    /// Gives a child that was [launched](Command::spawn) before, in any thread, to this reactor.
    ///
    /// [`connection_made`](ProcessProtocol::connection_made) is called before this returns, and
    /// nothing else. The loop tells then of the ends that were [taken](Spawned::take), which count as
    /// lost, and of an exit that was found by a wait.
    ///
    /// # Errors
    ///
    /// [`AdoptError`] gives the child back. The protocol is dropped, and nothing was called back.
    ///
    /// # Panics
    ///
    /// As for [`SpawnProcess::spawn_process`].
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_process_transport::{Command, SpawnProcess};
    /// use procession_protocol::{ExitReason, Process, ProcessProtocol};
    /// use procession_reactor::{Handle, Reactor};
    ///
    /// struct Report;
    /// impl ProcessProtocol for Report {
    ///     fn process_ended(&mut self, _: &Process, reason: ExitReason) {
    ///         assert!(reason.is_ok());
    ///         Handle::current().stop();
    ///     }
    /// }
    ///
    /// let launched = std::thread::spawn(|| Command::new("true").spawn()).join().unwrap()?;
    /// let mut reactor = Reactor::new()?;
    /// reactor.adopt(Report, launched)?;
    /// reactor.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn adopt(
        &self,
        protocol: impl ProcessProtocol + 'static,
        spawned: Spawned,
    ) -> Result<Process, AdoptError>;

    /// Starts a child for async code: no protocol, its outputs are streams.
    ///
    /// # Errors
    ///
    /// As for [`SpawnProcess::spawn_process`].
    fn spawn_child(&self, command: impl Into<Command>) -> Result<Child, SpawnError>;

    /// Starts the stages of a pipeline, each one's standard output the next one's standard input.
    ///
    /// All are started and known to the loop before the first
    /// [`connection_made`](ProcessProtocol::connection_made), in the order of the stages.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] is that of the first stage that does not start. The stages before it are then
    /// killed and reaped, and nothing was called back.
    ///
    /// # Panics
    ///
    /// As for [`SpawnProcess::spawn_process`], once `connection_made` of every stage was called.
    fn spawn_pipeline(&self, pipeline: Pipeline) -> Result<RunningPipeline, SpawnError>;
}

impl SpawnProcess for Handle {
    fn spawn_process(
        &self,
        protocol: impl ProcessProtocol + 'static,
        command: impl Into<Command>,
    ) -> Result<Process, SpawnError> {
        let transport = adopt::spawn(self, Box::new(protocol), &command.into())?;
        Ok(Process::from_control(transport))
    }

    fn adopt(
        &self,
        protocol: impl ProcessProtocol + 'static,
        spawned: Spawned,
    ) -> Result<Process, AdoptError> {
        adopt::adopt(self, Box::new(protocol), spawned)
    }

    fn spawn_child(&self, command: impl Into<Command>) -> Result<Child, SpawnError> {
        Child::spawn(self, &command.into())
    }

    fn spawn_pipeline(&self, pipeline: Pipeline) -> Result<RunningPipeline, SpawnError> {
        pipeline.spawn(self)
    }
}
