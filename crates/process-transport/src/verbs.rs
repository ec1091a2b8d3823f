//! The methods that this crate adds to a reactor's handle.

use procession_core::Deferred;
use procession_protocol::driver::ProcessControl;
use procession_protocol::{Process, ProcessProtocol};
use procession_reactor::{Handle, Reactor};

use crate::adopt;
use crate::adopt_error::AdoptError;
use crate::async_child::Child;
use crate::command::Command;
use crate::error::SpawnError;
use crate::fake_children::FakeChildren;
use crate::pipeline::{Pipeline, PipelineOutput, RunningPipeline};
use crate::sealed::SealedSpawnProcess;
use crate::soon;
use crate::spawned::Spawned;

/// Methods of [`Handle`], and so of `Reactor`, that start children.
///
/// This trait is sealed: only this crate implements it, so later versions can add methods. Code that is
/// tested without children takes an `impl SpawnProcess`: a `Handle`, a `Reactor`, a
/// [`FakeChildren`], or a reference to one of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot start children",
    label = "this is no `Handle`, `Reactor` or `FakeChildren`, and no reference to one",
    note = "inside a callback or a future of the reactor, `Handle::current()` returns its handle"
)]
pub trait SpawnProcess: SealedSpawnProcess {
    /// Starts a child and gives its events to `protocol`.
    ///
    /// The steps, in this order: the command is checked, users and groups are looked up, pipes are
    /// made, the child is cloned, its exec is awaited, its descriptors are registered, and
    /// [`connection_made`](ProcessProtocol::connection_made) is called. No other callback comes
    /// before the loop runs, even if the child is already dead.
    ///
    /// The calling thread stands still from the clone to the exec: about 50 µs on an idle machine,
    /// 80 to 350 µs when other threads compete for the processors, milliseconds at worst. `SIGSTOP`
    /// cannot be blocked: if a process sends it to the child in that time, the thread stands still
    /// until `SIGCONT`. If the parent dies in that time, or another of its threads executes a
    /// program, its POSIX locks on files are kept until the child continues.
    ///
    /// When `run` stops, the *during* phase of the shutdown closes the parent's ends of every
    /// child, after a write of what the kernel takes at once. No child is killed.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] says which step failed. Protocol and command are then dropped, without a
    /// callback.
    ///
    /// # Panics
    ///
    /// A panic of `connection_made` unwinds out of this call. The child runs on without a protocol
    /// and is reaped.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{
    ///     Command, ExitReason, Handle, Process, ProcessProtocol, Reactor, SpawnProcess,
    /// };
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

    /// Starts a child without standing still for it, and gives its events to `protocol`.
    ///
    /// Two *launch threads* of the process check the command, look up users, open files, make the pipes
    /// and start the child; the loop goes on meanwhile. On Linux, this call and the arrival of the child
    /// take the loop 15 to 25 µs together, where [`spawn_process`](Self::spawn_process) takes 150 to 350
    /// µs. The child itself starts a little later: a thread must wake up, and then the loop. So this is for
    /// loops that start many children, or that must not be late.
    ///
    /// [`connection_made`](ProcessProtocol::connection_made) is called in a later turn, then the result
    /// is given. Children are launched in the order of the calls, but two at a time, so that their
    /// `connection_made` may come in another order.
    ///
    /// Dropping or cancelling the result before `connection_made` ends the launch; so do a stop of the
    /// loop, which fails the result with `Failed::Cancelled`, and the drop of the reactor. A child that was
    /// already started is then killed, with the group that it leads, also without
    /// [`kill_on_drop`](Command::kill_on_drop). It may have run its program for a moment. Use
    /// [`detach`](Deferred::detach) if the result does not matter.
    ///
    /// The first call in a process starts the launch threads. They sleep while there is nothing to launch,
    /// and end with the process. After a launch they poll for the next command for up to 150 µs, if the
    /// last one came that soon. The time of a launch does not grow with the descriptors of the program if
    /// [`reserve_spawn_fds`](crate::reserve_spawn_fds) was called before these were opened.
    ///
    /// Inherited variables, users, the directory and the files of the command are those of the moment when
    /// the launch begins. Closures of [`pre_exec`](Command::pre_exec) run in a child of a launch thread, so
    /// they find no thread-local value of this one. A
    /// [`parent_death_signal`](Command::parent_death_signal) comes when the process is gone, and not
    /// when the thread of the loop ends.
    ///
    /// This thread launches in its next turn if no thread can be started, or if it has other ids,
    /// capabilities, filters, processors or another priority than the launch threads, which have those of
    /// the thread that made the first call. Not compared are *namespaces* of a thread (`setns(2)`), what
    /// a thread no longer shares with the others (`unshare(2)`: directory, umask, descriptors), and its
    /// priority of input and output, personality, timer slack, memory policy and secure bits. A thread that
    /// has changed one of these uses `spawn_process`.
    ///
    /// # Errors
    ///
    /// Those of `spawn_process`, with the same texts.
    ///
    /// # Panics
    ///
    /// A panic of `connection_made`, or of the `as_fd` of an inherited descriptor, unwinds out of the loop.
    /// The result then fails with `Failed::Abandoned`. After `connection_made` the child runs on without a
    /// protocol and is reaped.
    ///
    /// # Platform
    ///
    /// On other systems than Linux this thread launches every command in its next turn.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{
    ///     ExitReason, Handle, Process, ProcessProtocol, Reactor, SpawnProcess,
    /// };
    ///
    /// struct Report;
    /// impl ProcessProtocol for Report {
    ///     fn process_ended(&mut self, _: &Process, reason: ExitReason) {
    ///         assert!(reason.is_ok());
    ///         Handle::current().stop();
    ///     }
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.spawn_process_soon(Report, "true").done(|started| assert!(started.is_ok()));
    /// reactor.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    #[must_use = "dropping the result ends the launch: `done` or `detach` lets it go on"]
    fn spawn_process_soon(
        &self,
        protocol: impl ProcessProtocol + 'static,
        command: impl Into<Command>,
    ) -> Deferred<Process, SpawnError>;

    /// Gives this reactor a child that was [launched](Command::spawn) before, on any thread.
    ///
    /// Only [`connection_made`](ProcessProtocol::connection_made) is called before this returns.
    /// The loop then reports ends that were [taken](Spawned::take) as lost, and an exit that a wait
    /// has already seen.
    ///
    /// # Errors
    ///
    /// [`AdoptError`] gives the child back. The protocol is dropped, without a callback.
    ///
    /// # Panics
    ///
    /// As for [`SpawnProcess::spawn_process`].
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{
    ///     Command, ExitReason, Handle, Process, ProcessProtocol, Reactor, SpawnProcess,
    /// };
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

    /// Starts a child for async code: without a protocol; its outputs are streams.
    ///
    /// # Errors
    ///
    /// As for [`SpawnProcess::spawn_process`].
    fn spawn_child(&self, command: impl Into<Command>) -> Result<Child, SpawnError>;

    /// Starts the stages of a pipeline; the standard output of each is the standard input of the
    /// next.
    ///
    /// All stages are started and registered before the first
    /// [`connection_made`](ProcessProtocol::connection_made); these come in the order of the
    /// stages.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] is that of the first stage that does not start. The stages before it are then
    /// killed and reaped, without a callback.
    ///
    /// # Panics
    ///
    /// As for [`SpawnProcess::spawn_process`], once `connection_made` was called for every stage.
    fn spawn_pipeline(&self, pipeline: Pipeline) -> Result<RunningPipeline, SpawnError>;

    /// Starts the stages of a pipeline, and keeps what the last one writes to its standard output.
    ///
    /// The result comes when all stages have ended: the output, whole and in memory, and how each stage
    /// ended, in their order. It fails with `Failed::Abandoned` as [`RunningPipeline::ended`] does. Its drop
    /// ends no stage. The output is empty if the command of the last stage gives it to something else. A
    /// protocol of that stage gets its events as well.
    ///
    /// # Errors
    ///
    /// As for [`SpawnProcess::spawn_pipeline`].
    ///
    /// # Panics
    ///
    /// As for [`SpawnProcess::spawn_pipeline`].
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Pipeline, Reactor, SpawnProcess};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let pipeline = Pipeline::new().stage(Command::new("printf").arg("b\\na\\n")).stage("sort");
    /// let output = reactor.pipeline_output(pipeline)?;
    /// let (sorted, ends) = reactor.block_on(output)?;
    /// assert_eq!(sorted, "a\nb\n");
    /// assert!(ends.iter().all(Result::is_ok));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn pipeline_output(&self, pipeline: Pipeline) -> Result<PipelineOutput, SpawnError> {
        let (pipeline, output) = pipeline.keep_output();
        let ended = self.spawn_pipeline(pipeline)?.ended();
        Ok(output.and_then(|output| ended.map(|ends| (output, ends))))
    }
}

impl SpawnProcess for Handle {
    fn spawn_process(
        &self,
        protocol: impl ProcessProtocol + 'static,
        command: impl Into<Command>,
    ) -> Result<Process, SpawnError> {
        if let Some(fakes) = FakeChildren::installed() {
            return fakes.begin(Box::new(protocol), &command.into());
        }
        let transport = adopt::spawn(self, Box::new(protocol), &command.into())?;
        Ok(transport.into_process())
    }

    fn spawn_process_soon(
        &self,
        protocol: impl ProcessProtocol + 'static,
        command: impl Into<Command>,
    ) -> Deferred<Process, SpawnError> {
        if let Some(fakes) = FakeChildren::installed() {
            let command = command.into();
            return self.defer(async move { fakes.begin(Box::new(protocol), &command) });
        }
        soon::spawn(self, Box::new(protocol), command.into())
    }

    fn adopt(
        &self,
        protocol: impl ProcessProtocol + 'static,
        spawned: Spawned,
    ) -> Result<Process, AdoptError> {
        adopt::adopt(self, Box::new(protocol), spawned)
    }

    fn spawn_child(&self, command: impl Into<Command>) -> Result<Child, SpawnError> {
        match FakeChildren::installed() {
            Some(fakes) => fakes.begin_child(&command.into()),
            None => Child::spawn(self, &command.into()),
        }
    }

    fn spawn_pipeline(&self, pipeline: Pipeline) -> Result<RunningPipeline, SpawnError> {
        match FakeChildren::installed() {
            Some(fakes) => fakes.begin_pipeline(pipeline),
            None => pipeline.spawn(self),
        }
    }
}

/// Implements the trait for a type that dereferences to another implementor.
macro_rules! spawn_by {
    ($type:ty, $($bounds:tt)*) => {
        impl $($bounds)* SpawnProcess for $type {
            fn spawn_process(
                &self,
                protocol: impl ProcessProtocol + 'static,
                command: impl Into<Command>,
            ) -> Result<Process, SpawnError> {
                (**self).spawn_process(protocol, command)
            }

            fn spawn_process_soon(
                &self,
                protocol: impl ProcessProtocol + 'static,
                command: impl Into<Command>,
            ) -> Deferred<Process, SpawnError> {
                (**self).spawn_process_soon(protocol, command)
            }

            fn adopt(
                &self,
                protocol: impl ProcessProtocol + 'static,
                spawned: Spawned,
            ) -> Result<Process, AdoptError> {
                (**self).adopt(protocol, spawned)
            }

            fn spawn_child(&self, command: impl Into<Command>) -> Result<Child, SpawnError> {
                (**self).spawn_child(command)
            }

            fn spawn_pipeline(&self, pipeline: Pipeline) -> Result<RunningPipeline, SpawnError> {
                (**self).spawn_pipeline(pipeline)
            }
        }
    };
}

spawn_by!(Reactor,);
spawn_by!(&S, <S: SpawnProcess>);
