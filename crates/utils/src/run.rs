//! [`Run`]: a program that runs to its end, and all options of such a run.
//!
//! Length: most of it is the documentation of the options, which belong to one type.

#[cfg(feature = "reactor")]
pub(crate) mod apart;
mod blocking;
#[cfg(feature = "reactor")]
mod line_stream;
pub(crate) mod prepared;
mod retry;
mod settings;
#[cfg(feature = "reactor")]
mod shared_on_line;
#[cfg(feature = "reactor")]
mod start;

#[cfg(feature = "reactor")]
pub use line_stream::RunLines;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use procession_core::Failed;
use procession_process_transport::{Command, Scope};

use self::retry::Retry;
use self::settings::Settings;
use crate::launcher::place::Place;
use crate::rules::{ExitCodes, FailOn};
use crate::{Keep, Launcher, Outcome, OutputError, OutputLine, Stdin};

/// Runs a program to its end and gives its [`Outcome`].
///
/// By default standard input is `/dev/null`, the first 64 MiB of each output are kept and the rest
/// is read and counted, and every end of the program is an outcome. Half a second after the
/// program's exit, outputs that descendants still hold are closed.
///
/// On a loop the program starts with [`start`](Self::start), [`output`](Self::output), or when the
/// `Run` is awaited or given to `block_on`. [`output_blocking`](Self::output_blocking) needs no loop
/// and blocks its thread. The child leads a session, and a process group, [of its
/// own](Self#the-programs-terminal). From the start on, the timeout, and dropping or cancelling the
/// [`Deferred`](procession_core::Deferred), terminate that group: it gets TERM, after [`kill_grace`](Self::kill_grace) it gets
/// KILL, and the child is reaped. Descendants that left the group are not reached.
/// [`OutputError::TimedOut`] is reported when the group is empty. A drop, a cancellation and
/// [`Deferred::timeout`](procession_core::Deferred::timeout) return at once, and the group ends in the background. The drop of the
/// reactor and the end of `run_until` wait for that, at most `kill_grace` and one second. A program
/// that runs when the reactor is dropped is killed at once.
///
/// The child also ends with the parent program. A signal, an exit and a return from `main` end its
/// group (see [`Command::owned`]). On Linux the child is also killed when the parent is killed or
/// crashes. This kills only the child, not the processes that it started, and does not work for a
/// set-user-ID program. [`outlive_parent`](Self::outlive_parent) turns it off.
///
/// `F` is the type of the callback of [`for_each_line`](Self::for_each_line). A `Run` can be sent to
/// another thread if `F` can.
///
/// # The program's terminal
///
/// In a session of its own the child has no terminal. Programs such as git, ssh and sudo, which
/// would ask for a password on `/dev/tty`, fail at once and say why. The [error](OutputError) then
/// names [`foreground`](Self::foreground), which leaves the child in a group that can use the
/// terminal. Ctrl-C and Ctrl-Z do not reach the child either:
/// [`run`](procession_reactor::Reactor::run) and `run_main` pass both on.
///
/// If the command sets `process_group` or `new_session`, or has a terminal, that takes precedence.
/// With `nice` the child leads a group in the parent's session, because a nice value counts only
/// within a session. `.command(|command| command.process_group(0))` keeps what a new session loses:
/// sudo's cached credentials, sudoers with `requiretty`, and writing to `/dev/tty`. A session
/// leader that opens a terminal of no session (a serial line) without `O_NOCTTY` makes it its
/// controlling terminal.
///
/// # The end of the reactor
///
/// A stop of the reactor closes the outputs and the input, and leaves the program running. Unless
/// everything was read before, the result is [`OutputError::Stopped`], when the program has ended.
///
/// # Examples
///
/// ```
/// use procession::Run;
/// use std::time::Duration;
///
/// // The background process may write more; the run does not wait for it.
/// let run = Run::new("sh").args(["-c", "echo hi; sleep 30 &"]).drain_after_exit(Duration::ZERO);
/// let outcome = run.output_blocking()?;
/// assert_eq!(outcome.stdout, "hi\n");
/// assert_eq!(outcome.held_fds().len(), 2);
/// # Ok::<(), procession::OutputError>(())
/// ```
#[must_use = "nothing is run until this is awaited, started, or given to `block_on`"]
pub struct Run<F = fn(OutputLine)> {
    settings: Settings,
    on_line: Option<F>,
}

/// A program may build a run in one thread and start it in another.
const _: fn() = || {
    fn can_be_sent<T: Send + 'static>() {}
    can_be_sent::<Run>();
    can_be_sent::<Run<Box<dyn FnMut(OutputLine) + Send>>>();
    can_be_sent::<Outcome>();
    can_be_sent::<OutputError>();
    can_be_sent::<Failed<OutputError>>();
};

impl Run {
    /// Creates a run of `program` without arguments.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self::from(Command::new(program))
    }
}

impl<F> Run<F> {
    /// Adds an argument.
    pub fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.command(|command| command.arg(arg))
    }

    /// Adds arguments.
    pub fn args(self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command(|command| command.args(args))
    }

    /// Sets a variable in the program's environment.
    pub fn env(self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command(|command| command.env(key, value))
    }

    /// Sets variables in the program's environment.
    pub fn envs(
        self,
        vars: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        self.command(|command| command.envs(vars))
    }

    /// Removes a variable from the program's environment.
    pub fn env_remove(self, key: impl AsRef<OsStr>) -> Self {
        self.command(|command| command.env_remove(key))
    }

    /// Clears the program's environment: it inherits no variables.
    pub fn env_clear(self) -> Self {
        self.command(Command::env_clear)
    }

    /// Sets the program's working directory.
    pub fn current_dir(self, dir: impl AsRef<Path>) -> Self {
        self.command(|command| command.current_dir(dir))
    }

    /// Changes any other setting of the [`Command`].
    ///
    /// [`stdin`](Self::stdin) overrides the command's descriptor 0. The methods of `Run` override
    /// `owned`, `kill_on_drop`, `kill_grace` and `drain_after_exit`.
    ///
    /// A run writes to no descriptor but 0. A pipe to the program on another number is closed at
    /// once, as is the parent's writing direction of a socketpair, and the program reads end of
    /// file there. A command with a terminal needs [`Stdin::as_in_command`], and its outputs cannot
    /// be merged.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Run;
    ///
    /// let run = Run::new("sh").args(["-c", "umask"]).command(|command| command.umask(0o077));
    /// assert_eq!(run.output_blocking()?.stdout, "0077\n");
    /// # Ok::<(), procession::OutputError>(())
    /// ```
    pub fn command(mut self, change: impl FnOnce(Command) -> Command) -> Self {
        self.settings.command = change(self.settings.command);
        self
    }

    /// Sets the program's standard input. The default is `/dev/null`.
    pub fn stdin(mut self, stdin: impl Into<Stdin>) -> Self {
        self.settings.stdin = stdin.into();
        self
    }

    /// Fails with [`OutputError::TimedOut`], which has the output so far, after this time. The time
    /// stands still while Ctrl-Z has [stopped](procession_reactor::Reactor::run) the parent.
    ///
    /// The time is judged between reads, and between the lines of
    /// [`for_each_line`](Self::for_each_line): after this time no line is handed over, unless the
    /// program has ended meanwhile. A call that takes long delays the error by that.
    pub fn timeout(mut self, after: Duration) -> Self {
        self.settings.rules.timeout = Some(after);
        self
    }

    /// Makes any end but exit status 0 an error: [`OutputError::Failed`] or
    /// [`OutputError::Signalled`].
    pub fn check(self) -> Self {
        self.ok_codes([0])
    }

    /// Makes any end but one of these exit statuses an error, as [`check`](Self::check) does for 0:
    /// [`OutputError::Failed`] or [`OutputError::Signalled`].
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Run;
    ///
    /// // grep exits with 1 if no line matches, and with 2 if it fails.
    /// let grep = Run::new("grep").arg("x").stdin("a\n").ok_codes([0, 1]);
    /// assert_eq!(grep.output_blocking()?.exit_code(), Some(1));
    /// # Ok::<(), procession::OutputError>(())
    /// ```
    #[doc(alias = "unchecked")]
    pub fn ok_codes(mut self, codes: impl IntoIterator<Item = u8>) -> Self {
        self.settings.rules.fail_on = FailOn::NoneOf(codes.into_iter().collect::<ExitCodes>());
        self
    }

    /// Starts the program again when it fails, at most `attempts` times in all. The default is 1.
    ///
    /// `backoff` is the pause before the second attempt, and each further pause is twice as long. The
    /// result is the first outcome, or the error of the last attempt.
    ///
    /// A failure is a start that fails, a [timeout](Self::timeout), and an end that is an error by
    /// [`check`](Self::check), [`ok_codes`](Self::ok_codes) or [`check_signal`](Self::check_signal). Other
    /// errors are not retried. The timeout counts for each attempt, and the callback for lines gets the
    /// lines of each. Dropping or cancelling the result ends the attempts. A pause takes the place of a
    /// running program in [`run_all`](crate::run_all()). Bytes are written again in each attempt; a file that
    /// the program reads directly goes on where the attempt before has stopped.
    ///
    /// # Errors
    ///
    /// Nothing is started, and the run fails with [`OutputError::Spawn`], if `attempts` is 0, or if it is
    /// greater than 1 and the input comes from [`Stdin::reader`].
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Run;
    /// use std::time::Duration;
    ///
    /// # let directory = std::env::temp_dir().join(format!("procession-retry-{}", std::process::id()));
    /// # std::fs::create_dir(&directory)?;
    /// // It fails once.
    /// let script = "test -e seen || { touch seen; exit 1; }; echo ok";
    /// let run = Run::new("sh").args(["-c", script]).current_dir(&directory);
    /// let outcome = run.check().retry(3, Duration::from_millis(1)).output_blocking()?;
    /// assert_eq!(outcome.stdout, "ok\n");
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retry(mut self, attempts: u32, backoff: Duration) -> Self {
        self.settings.retry = Retry { attempts, pause: backoff };
        self
    }

    /// Makes an end by a signal an error: [`OutputError::Signalled`].
    pub fn check_signal(mut self) -> Self {
        self.settings.rules.fail_on = FailOn::NoStatus;
        self
    }

    /// Fails with [`OutputError::UnexpectedStderr`] at the first byte on standard error. The
    /// program runs on.
    pub fn fail_on_stderr(mut self) -> Self {
        self.settings.rules.fails_on_stderr = true;
        self
    }

    /// Sends standard error and standard output through one pipe, so that their order is kept.
    pub fn merge_stderr(mut self) -> Self {
        self.settings.rules.setup.is_merged = true;
        self
    }

    /// Sets how much of each output is kept. The default is the first 64 MiB.
    pub fn keep(mut self, keep: Keep) -> Self {
        self.settings.rules.keep = keep;
        self
    }

    /// Terminates the program and fails with [`OutputError::TooLong`] when an output is longer than
    /// the part that is kept. By default the run reads the rest and counts it.
    pub fn stop_at_limit(mut self) -> Self {
        self.settings.rules.stops_at_limit = true;
        self
    }

    /// Sets the time between TERM and KILL when the group is terminated. The default is two
    /// seconds; zero sends KILL at once.
    ///
    /// A group that does not end by TERM takes this time, and delays the error by it.
    pub fn kill_grace(mut self, grace: Duration) -> Self {
        self.settings.rules.kill_grace = grace;
        self
    }

    /// Leaves the program in the parent's process group. There it can read the terminal, and Ctrl-C
    /// and Ctrl-Z reach it. A termination then reaches the program only.
    pub fn foreground(mut self) -> Self {
        self.settings.rules.setup.is_foreground = true;
        self
    }

    /// Puts the program, and all that it starts, into a [`Scope`].
    ///
    /// In a cgroup, the run has a folder of its own there. A limit, the timeout, a drop and a
    /// cancellation then end everything in that folder, also what has left the group, and the error
    /// is reported when it is empty. What the program leaves behind after a normal end stays in the
    /// scope. A [foreground](Self::foreground) run has no such folder, and they end the program only.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Run, Scope};
    ///
    /// let scope = Scope::new("run-example")?;
    /// let outcome = Run::new("sh").args(["-c", "exec echo hi"]).scope(&scope).output_blocking()?;
    /// assert_eq!(outcome.stdout, "hi\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scope(self, scope: &Scope) -> Self {
        self.command(|command| command.scope(scope))
    }

    /// Runs the program where the launcher says: on another machine by [`Ssh`](crate::Ssh) or
    /// [`Srun`](crate::Srun), or in a container by a launcher of the program's own.
    ///
    /// Inputs, outputs, limits, timeouts, checks and retries are those of any run. The messages of errors
    /// name the place. A timeout and a cancellation end the program there; that may take up to ten
    /// seconds beyond [`kill_grace`](Self::kill_grace), if the link is slow. The time of a timeout begins
    /// when the place is reached, which [`Ssh::connect_timeout`](crate::Ssh::connect_timeout) bounds.
    ///
    /// # Errors
    ///
    /// [`OutputError::Launch`] if the launcher cannot carry an option of the
    /// command, before anything starts: a terminal, ids, descriptors beyond 0 to 2,
    /// [`foreground`](Self::foreground) and [`outlive_parent`](Self::outlive_parent) are such.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{OutputError, Run, Ssh};
    ///
    /// let ssh = Ssh::new("build@example.org").program("/no/such/ssh");
    /// let error = Run::new("make").on(&ssh).output_blocking().unwrap_err();
    /// assert!(matches!(error, OutputError::Unreachable { .. }));
    /// assert!(error.to_string().starts_with("make (on build@example.org) was not started: "));
    /// ```
    pub fn on(mut self, launcher: &(impl Launcher + Clone + 'static)) -> Self {
        self.settings.place = Some(Place::of(launcher));
        self
    }

    /// Lets the program live on when the parent program is killed or crashes. By default it is
    /// killed then, on Linux. See [`Command::outlive_parent`].
    pub fn outlive_parent(self) -> Self {
        self.command(Command::outlive_parent)
    }

    /// Limits how long the run waits, after the program's exit, for descendants that hold an
    /// output. The default is 500 ms. `None` sets no limit, even if the command has one.
    pub fn drain_after_exit(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.settings.drain_after_exit = after.into();
        self
    }

    /// Calls `call` for each line of both outputs while the program runs.
    ///
    /// A line ends with a line feed; a carriage return before it is not part of the line. A last
    /// line without a line feed is reported when the program and both outputs have ended, and not
    /// at all if a stop of the reactor cut it off. No line is reported after the result. The
    /// outputs are kept as well; [`Keep::nothing`] turns that off.
    ///
    /// A limit of the output or of the time that ends the run also ends the lines, in the middle of
    /// a read. The result can be sent to another thread if `call` can. [`boxed`](Self::boxed) gives runs with
    /// different callbacks one type.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Keep, Run};
    ///
    /// let mut lines = Vec::new();
    /// let seq = Run::new("seq").arg("3").keep(Keep::nothing());
    /// seq.for_each_line(|line| lines.push(line.text)).output_blocking()?;
    /// assert_eq!(lines, ["1", "2", "3"]);
    /// # Ok::<(), procession::OutputError>(())
    /// ```
    pub fn for_each_line<G: FnMut(OutputLine)>(self, call: G) -> Run<G> {
        Run { settings: self.settings, on_line: Some(call) }
    }

    /// Sets the longest line, in bytes. A longer line is cut at a character, and only its beginning is
    /// reported. The default is 64 KiB.
    pub fn max_line_bytes(mut self, max_bytes: usize) -> Self {
        self.settings.max_line_bytes = max_bytes;
        self
    }
}

/// The settings of the command are kept, with these exceptions: descriptor 0 (see
/// [`Stdin::as_in_command`]), descriptors 1 and 2 if the outputs are merged, and `owned`,
/// `kill_on_drop`, `kill_grace` and `drain_after_exit`.
impl From<Command> for Run {
    fn from(command: Command) -> Self {
        Self { settings: Settings::new(command), on_line: None }
    }
}

impl From<&Command> for Run {
    fn from(command: &Command) -> Self {
        Self::from(command.clone())
    }
}

impl From<&str> for Run {
    fn from(program: &str) -> Self {
        Self::new(program)
    }
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { command, stdin, drain_after_exit, rules, .. } = &self.settings;
        f.debug_struct("Run")
            .field("command", command)
            .field("stdin", stdin)
            .field("drain_after_exit", drain_after_exit)
            .field("has_on_line", &self.on_line.is_some())
            .field("rules", rules)
            .finish_non_exhaustive()
    }
}
