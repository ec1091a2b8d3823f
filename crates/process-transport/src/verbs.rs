//! The verbs that this crate adds to a reactor's handle.

use crate::async_child::Child;
use crate::command::Command;
use crate::ends::Ends;
use crate::error::{SpawnError, Step};
use crate::pipeline::{Pipeline, RunningPipeline};
use crate::prepare::{self, Prepared};
use crate::process::{Birth, Transport, leads_group};
use crate::terminal::Before;
use crate::{orphans, route, sys, terminal};
use procession_protocol::{Process, ProcessProtocol};
use procession_reactor::Handle;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// Spawning, as a method of [`Handle`] and so of `Reactor`.
pub trait SpawnProcess {
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
    /// When `run` is told to stop, the parent's ends of every child are closed in the *during* phase
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
    /// As for [`SpawnProcess::spawn_process`], once every stage was told that it runs.
    fn spawn_pipeline(&self, pipeline: Pipeline) -> Result<RunningPipeline, SpawnError>;
}

impl SpawnProcess for Handle {
    fn spawn_process(
        &self,
        protocol: impl ProcessProtocol + 'static,
        command: impl Into<Command>,
    ) -> Result<Process, SpawnError> {
        spawn(self, Box::new(protocol), &command.into())
    }

    fn spawn_child(&self, command: impl Into<Command>) -> Result<Child, SpawnError> {
        Child::spawn(self, &command.into())
    }

    fn spawn_pipeline(&self, pipeline: Pipeline) -> Result<RunningPipeline, SpawnError> {
        pipeline.spawn(self)
    }
}

/// Makes this thread's spawning socketpair now, while low descriptor numbers are free.
///
/// A program that opens many descriptors before it first spawns calls this first in `main`; the
/// cost of a spawn then does not grow with them. Otherwise the pair is made at the thread's first
/// spawn. It is closed when the thread ends.
///
/// # Errors
///
/// The pair or the child's stack cannot be made: `EMFILE`, `ENFILE`, `ENOMEM`.
///
/// # Examples
///
/// ```
/// procession_process_transport::reserve_spawn_fds()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn reserve_spawn_fds() -> io::Result<()> {
    sys::reserve()
}

fn spawn(
    reactor: &Handle,
    protocol: Box<dyn ProcessProtocol>,
    command: &Command,
) -> Result<Process, SpawnError> {
    refuse_if_gone(reactor, command)?;
    let transport = start(command)?.register(reactor, protocol)?;
    let process = Process::from_control(transport.clone());
    transport.made();
    Ok(process)
}

/// No program is to run of which no loop can tell.
pub(crate) fn refuse_if_gone(reactor: &Handle, command: &Command) -> Result<(), SpawnError> {
    if reactor.is_closed() {
        let error = io::Error::new(io::ErrorKind::NotConnected, "the reactor is gone");
        return Err(SpawnError::new(Step::Register, &command.program, error));
    }
    Ok(())
}

/// A child that runs and that no loop knows; dropped like this it is killed and reaped.
pub(crate) struct Started {
    birth: Option<Birth>,
    program: OsString,
    /// What its terminal was like, if that is a caller's.
    before: Option<Before>,
}

/// From the checks to the confirmed exec; the child's ends are closed here when it returns.
pub(crate) fn start(command: &Command) -> Result<Started, SpawnError> {
    let prepared = prepare::prepare(command)?;
    // Before the pipes take the low numbers. Where it cannot be made another path is taken.
    sys::reserve_first().ok();
    let mut ends = Ends::make(command)?;
    let (slave, before) = terminal::open(command, prepared.credentials.uid)?
        .map(|terminal| ends.add_terminal(terminal))
        .unzip();
    let birth = launch(command, &prepared, ends, slave)?;
    Ok(Started { birth: Some(birth), program: command.program.clone(), before })
}

impl Started {
    /// Gives it to the loop; nothing is called back yet.
    pub(crate) fn register(
        mut self,
        reactor: &Handle,
        protocol: Box<dyn ProcessProtocol>,
    ) -> Result<Rc<Transport>, SpawnError> {
        orphans::enlist(reactor);
        let birth = self.birth.take().expect("taken here and by the drop alone");
        let transport = Transport::register(reactor, protocol, birth)
            .map_err(|error| SpawnError::new(Step::Register, &self.program, error))?;
        if let Some(before) = self.before.take() {
            before.forget();
        }
        Ok(transport)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(Birth { launched, group, .. }) = self.birth.take() {
            orphans::end_now(launched.pid, launched.pidfd, leads_group(group));
        }
    }
}

/// The clone, until the exec is confirmed.
fn launch(
    command: &Command,
    prepared: &Prepared,
    ends: Ends,
    slave: Option<Rc<OwnedFd>>,
) -> Result<Birth, SpawnError> {
    let controlling_terminal = command.pty.as_ref().is_some_and(|pty| pty.controlling);
    let mut launched = {
        let mut gifts = ends.gifts();
        route::launch(command, prepared, &mut gifts, controlling_terminal)?
    };
    ends.unblock_terminal();
    if command.without_pidfd {
        launched.pidfd = None;
    }
    Ok(Birth {
        launched,
        ends: ends.parent,
        group: prepared.group,
        owned: command.identity.owned,
        kill_on_drop: command.kill_on_drop,
        pipes_grow: command.pipes_grow,
        drain_after_exit: command.drain_after_exit,
        parent_peak_kib: sys::own_peak_kib(),
        slave,
    })
}
