//! Fake children, for tests of code that starts children.

mod builder;
pub(crate) mod installed;
mod player;
mod records;
mod script;
mod state;

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;

pub use builder::FakeScript;
use player::Player;
use procession_protocol::{ChildFd, FakeFd, FakeProcess, Process, ProcessProtocol};
use procession_reactor::Handle;
use script::{Rule, Script};
use state::SharedFakes;

use crate::async_child::Child;
use crate::command::{Command, Fd};
use crate::error::SpawnError;
use crate::pipeline::{Pipeline, RunningPipeline, no_stages};
use crate::recording::file::RecordFile;

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
/// [`install`](Self::install) puts fakes in the place of the children of a reactor, for code that takes no
/// `impl SpawnProcess`: everything that starts a child on that reactor's thread by its verbs, such as `Run`,
/// `Monitor` and pipelines. [Scripts](Self::when) say what they do.
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
pub struct FakeChildren(SharedFakes);

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

    /// Puts fakes in the place of the children that this reactor's thread starts from now on, and makes
    /// the reactor's clock a [fake one](Handle::use_fake_clock), which the fakes share.
    ///
    /// Only its verbs start fakes: [`SpawnProcess`](crate::SpawnProcess), and what uses it. `Command::spawn`, a blocking run, another
    /// thread and `procession::tokio` start real children. A later call replaces these fakes.
    ///
    /// A command that no script is for is refused at [`Step::Validate`](crate::Step::Validate), unless there is no script at all: then the
    /// test [takes](Self::take) each child.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, FakeChildren, Handle, Reactor, SpawnProcess};
    /// use std::{error::Error, io, time::Duration};
    ///
    /// async fn version() -> Result<String, Box<dyn Error>> {
    ///     let git = Command::new("git").args(["rev-parse", "HEAD"]);
    ///     let mut git = Handle::current().spawn_child(git)?;
    ///     let output = git.stdout().collect().await;
    ///     git.ended().await?;
    ///     Ok(String::from_utf8(output)?)
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// let fakes = FakeChildren::install(&reactor);
    /// fakes.when(["git", "rev-parse"]).once().after(Duration::from_secs(60)).stdout("abc123\n").exit(0);
    /// fakes.when_program("git").stderr("not a repository").exit(128);
    /// fakes.when_program("docker").fails_to_start(io::ErrorKind::NotFound);
    /// assert_eq!(reactor.block_on(version())?, "abc123\n");
    /// assert!(reactor.block_on(version()).unwrap_err().to_string().contains("not a repository"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn install(reactor: &Handle) -> Self {
        let fakes = Self::new();
        reactor.use_fake_clock();
        installed::install_fakes(reactor, &fakes.0);
        fakes
    }

    /// Returns the fakes that this thread's reactor starts in the place of children.
    #[inline]
    pub(crate) fn installed() -> Option<Self> {
        installed::fakes().map(Self)
    }

    /// Says what a child does whose program and first arguments are these words. A program without a
    /// slash is meant wherever it is.
    ///
    /// The first script that is for a command counts, in the order of these calls.
    ///
    /// # Panics
    ///
    /// A child with a script needs a reactor on its thread: its start panics without one.
    pub fn when(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> FakeScript {
        let words = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        let rule = self.0.with(|state| {
            state.rules.push(Rule::new(words));
            state.rules.len() - 1
        });
        FakeScript::new(self.0.clone(), rule)
    }

    /// Says what a child does that runs this program, whatever its arguments are: see [`when`](Self::when).
    pub fn when_program(&self, program: impl AsRef<OsStr>) -> FakeScript {
        self.when([program])
    }

    /// Records the real children that this reactor's thread starts from now on to a file, for
    /// [`play`](Self::play). Fakes that were installed are no longer. A record has the words of each command, what the child writes and when, and its end. Input and
    /// variables are not recorded, and arguments are: mind secrets.
    ///
    /// A child is written when it has ended, and so have all that were started before it, or when the reactor
    /// is dropped; its output is kept in memory until then. A program that could not be executed is recorded
    /// too.
    ///
    /// # Errors
    ///
    /// Those of creating the file. A file that cannot be written later loses records silently.
    pub fn record(reactor: &Handle, file: impl AsRef<Path>) -> io::Result<()> {
        installed::install_record(reactor, RecordFile::create(file.as_ref())?);
        Ok(())
    }

    /// [Installs](Self::install) fakes that do what [`record`](Self::record) has written to a file. Each record
    /// is for one child with the same command line, in their order, and waits between its outputs as the real
    /// one did, on the fake clock.
    ///
    /// # Errors
    ///
    /// Those of reading the file, and `InvalidData` if a line of it is no record; the message has its number.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{FakeChildren, Handle, Reactor, SpawnProcess};
    ///
    /// async fn date() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    ///     let mut date = Handle::current().spawn_child("date")?;
    ///     let output = date.stdout().collect().await;
    ///     date.ended().await?;
    ///     Ok(output)
    /// }
    ///
    /// let file = tempfile::NamedTempFile::new()?;
    /// let mut reactor = Reactor::new()?;
    /// FakeChildren::record(&reactor, file.path())?;
    /// let recorded = reactor.block_on(date())?;
    ///
    /// FakeChildren::play(&reactor, file.path())?;
    /// assert_eq!(reactor.block_on(date())?, recorded);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn play(reactor: &Handle, file: impl AsRef<Path>) -> io::Result<Self> {
        let rules = records::read(file.as_ref())?;
        let fakes = Self::install(reactor);
        fakes.0.with(|state| state.rules = rules);
        Ok(fakes)
    }

    /// Starts a fake for a protocol.
    pub(crate) fn begin(
        &self,
        protocol: Box<dyn ProcessProtocol>,
        command: &Command,
    ) -> Result<Process, SpawnError> {
        let (at, mut scripts) = self.admit(&[command])?;
        Ok(self.start(at, scripts.pop().flatten(), command, protocol))
    }

    /// Starts a fake for async code.
    pub(crate) fn begin_child(&self, command: &Command) -> Result<Child, SpawnError> {
        Child::of_fake(command, |bridge| self.begin(bridge, command))
    }

    /// Starts a fake for each stage.
    pub(crate) fn begin_pipeline(&self, pipeline: Pipeline) -> Result<RunningPipeline, SpawnError> {
        let stages = pipeline.into_stages();
        if stages.is_empty() {
            return Err(no_stages());
        }
        let commands: Vec<&Command> = stages.iter().map(|(command, _)| command).collect();
        let (first, scripts) = self.admit(&commands)?;
        let last = commands.len() - 1;
        let mut processes = Vec::new();
        for ((number, (mut command, protocol)), script) in
            stages.into_iter().enumerate().zip(scripts)
        {
            // The parent has no end of what joins two stages.
            if number > 0 {
                command = command.stdin(Fd::null());
            }
            if number < last {
                command = command.stdout(Fd::null());
            }
            processes.push(self.start(first + number, script, &command, protocol));
        }
        Ok(RunningPipeline::new(processes))
    }

    /// Adds the commands of one call to the list, and returns the index of the first, with the script of
    /// each that has one.
    fn admit(&self, commands: &[&Command]) -> Result<(usize, Vec<Option<Script>>), SpawnError> {
        self.0.with(|state| state.admit(commands))
    }

    /// Creates the fake of the command at this index. This calls `connection_made`.
    fn start(
        &self,
        at: usize,
        script: Option<Script>,
        command: &Command,
        protocol: Box<dyn ProcessProtocol>,
    ) -> Process {
        if let Some(script) = script {
            return self.perform(script, command, protocol);
        }
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

    /// Creates a fake that a script plays.
    fn perform(
        &self,
        script: Script,
        command: &Command,
        protocol: Box<dyn ProcessProtocol>,
    ) -> Process {
        let settle = |fake: &mut FakeProcess| {
            fake.set_drain_after_exit(command.drain_after_exit);
            if command.identity.owned {
                fake.set_group_members(0);
            }
        };
        let (player, process) =
            Player::start(&Handle::current(), script, fds(command), protocol, settle);
        let ended = self.0.with(|state| state.add_player(player));
        drop(ended);
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

impl fmt::Debug for FakeChildren {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeChildren").field("commands", &self.commands()).finish_non_exhaustive()
    }
}
