//! [`Run`]: a program to be run to its end, with everything that may be said about that.

use crate::collector::{Collector, Feed};
use crate::job::{FailOn, Job, Rules};
use crate::lines::{Lines, OnLine};
use crate::message::quoted;
use crate::outcome::About;
use crate::stdin::Source;
use crate::streams;
use crate::{Keep, Outcome, OutputError, OutputLine, Stdin};
use procession_core::Deferred;
use procession_process_transport::{Command, Fd, SpawnProcess};
use procession_reactor::Handle;
use std::ffi::OsStr;
use std::fmt;
use std::future::IntoFuture;
use std::path::Path;
use std::time::Duration;

/// How long a group that is terminated has between TERM and KILL.
const KILL_GRACE: Duration = Duration::from_secs(2);
/// How long descendants may hold the outputs after the program's exit.
const DRAIN_AFTER_EXIT: Duration = Duration::from_millis(500);
/// The longest line.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Runs a program to its end and gives its [`Outcome`].
///
/// By default standard input is `/dev/null`, the first 64 MiB of each output are kept
/// and the rest is read and counted, any end of the program is an outcome, and outputs that
/// descendants hold are closed half a second after its exit.
///
/// The child leads a session, and a process group, [of its own](Self#the-programs-terminal). It starts
/// with [`start`](Self::start), [`output`](Self::output), or when the `Run` is awaited or given to
/// `block_on`; from then on dropping or cancelling the [`Deferred`], and the timeout, terminate that group: TERM, after
/// [`kill_grace`](Self::kill_grace) KILL, and the child is reaped. [`OutputError::TimedOut`] comes when
/// the group is empty; a drop, a cancellation and [`Deferred::timeout`] return at once, and the group
/// ends in the background: the drop of the reactor, and the end of `run_until`, wait for that, no
/// longer than `kill_grace` and a second. A program that runs when the reactor is dropped is killed at
/// once. Descendants that left the group are not reached.
///
/// It ends with the program, too. A signal, an exit and a return from `main` end its group (see
/// [`Command::owned`]). On Linux what kills the program, or a crash of it, kills the child: that alone,
/// not what it has started, and not a set-user-ID program.
/// [`outlive_parent`](Self::outlive_parent) takes the last away.
///
/// # The program's terminal
///
/// In a session of its own the child has no terminal: git, ssh or sudo, which would ask for a password
/// on `/dev/tty`, fail at once and say why. The [error](OutputError) then names
/// [`foreground`](Self::foreground), which leaves the child where it can ask. Ctrl-C and Ctrl-Z do not
/// reach it either: [`run`](procession_reactor::Reactor::run) and `run_main` pass both on.
///
/// If the command says `process_group` or `new_session`, or has a terminal, that counts instead. With
/// `nice` the child leads a group in the program's session: a nice value counts within a session only.
/// `.command(|command| command.process_group(0))` also keeps what a session loses: sudo's ticket,
/// sudoers with `requiretty`, and writing to `/dev/tty`. A leader of a session that opens a terminal
/// which no session has (a serial line) without `O_NOCTTY` gets it for its own.
///
/// # The end of the reactor
///
/// A stop of the reactor closes the outputs and the input, and leaves the program running: unless
/// all was read by then, the result is [`OutputError::Stopped`] once it has ended.
///
/// # Examples
///
/// ```
/// use procession::{Reactor, Run};
/// use std::time::Duration;
///
/// let mut reactor = Reactor::new()?;
/// // What the background process would write is not waited for.
/// let run = Run::new("sh").args(["-c", "echo hi; sleep 30 &"]).drain_after_exit(Duration::ZERO);
/// let outcome = reactor.block_on(run.output()).unwrap();
/// assert_eq!(outcome.stdout, "hi\n");
/// assert_eq!(outcome.held_fds().len(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "nothing is run until this is awaited, given to `block_on`, or started"]
pub struct Run {
    command: Command,
    stdin: Stdin,
    timeout: Option<Duration>,
    drain_after_exit: Option<Duration>,
    on_line: Option<OnLine>,
    max_line_bytes: usize,
    rules: Rules,
}

impl Run {
    /// A run of `program` without arguments.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self::from(Command::new(program))
    }

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

    /// Keeps a variable out of the program's environment.
    pub fn env_remove(self, key: impl AsRef<OsStr>) -> Self {
        self.command(|command| command.env_remove(key))
    }

    /// Starts the program's environment from nothing.
    pub fn env_clear(self) -> Self {
        self.command(Command::env_clear)
    }

    /// Sets the program's working directory.
    pub fn current_dir(self, dir: impl AsRef<Path>) -> Self {
        self.command(|command| command.current_dir(dir))
    }

    /// Says anything else that can be said about a [`Command`].
    ///
    /// Descriptor 0 is for [`stdin`](Self::stdin) to say; `owned`, `kill_on_drop`,
    /// `kill_grace` and `drain_after_exit` are this type's. Nobody can write to a pipe on another number, so the
    /// program finds its end there: one to the program is closed at once, and of a socketpair the
    /// parent's direction. A command with a terminal needs [`Stdin::as_in_command`], and cannot have its
    /// outputs merged.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Reactor, Run};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let run = Run::new("sh").args(["-c", "umask"]).command(|command| command.umask(0o077));
    /// assert_eq!(reactor.block_on(run).unwrap().stdout, "0077\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn command(mut self, change: impl FnOnce(Command) -> Command) -> Self {
        self.command = change(self.command);
        self
    }

    /// Says what the program finds on its standard input; nothing otherwise.
    pub fn stdin(mut self, stdin: impl Into<Stdin>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Fails with [`OutputError::TimedOut`], which has what was read so far, after this time. It stands
    /// still while Ctrl-Z has [stopped](procession_reactor::Reactor::run) the program.
    pub fn timeout(mut self, after: Duration) -> Self {
        self.timeout = Some(after);
        self
    }

    /// Makes any end but exit status 0 an error, which says what a log should say.
    ///
    /// It is [`OutputError::Failed`] or [`OutputError::Signalled`].
    pub fn check(mut self) -> Self {
        self.rules.fail_on = FailOn::NoSuccess;
        self
    }

    /// Makes an end by a signal an error: [`OutputError::Signalled`].
    pub fn check_signal(mut self) -> Self {
        self.rules.fail_on = FailOn::NoStatus;
        self
    }

    /// Makes the first byte on standard error an error, [`OutputError::UnexpectedStderr`], that
    /// leaves the program running.
    pub fn fail_on_stderr(mut self) -> Self {
        self.rules.fails_on_stderr = true;
        self
    }

    /// Sends standard error where standard output goes, through one pipe, in true order.
    pub fn merge_stderr(mut self) -> Self {
        self.rules.about.is_merged = true;
        self
    }

    /// Says how much of each output is kept; the first 64 MiB otherwise.
    pub fn keep(mut self, keep: Keep) -> Self {
        self.rules.keep = keep;
        self
    }

    /// Fails with [`OutputError::TooLong`], and terminates, once an output is longer than what is
    /// kept; it is read on and counted otherwise.
    pub fn stop_at_limit(mut self) -> Self {
        self.rules.stops_at_limit = true;
        self
    }

    /// Sets the time between TERM and KILL when the group is terminated; two seconds otherwise,
    /// and for zero KILL at once.
    ///
    /// It is used up only by a group that does not end by TERM, and an error that ends the program
    /// comes that much later then.
    pub fn kill_grace(mut self, grace: Duration) -> Self {
        self.rules.kill_grace = grace;
        self
    }

    /// Leaves the program in the parent's process group, where it can read the terminal and is
    /// reached by Ctrl-C and Ctrl-Z; terminating then reaches the program alone.
    pub fn foreground(mut self) -> Self {
        self.rules.about.is_foreground = true;
        self
    }

    /// Has the program live on when this one is killed, or crashes; it is killed with it otherwise, on
    /// Linux. See [`Command::outlive_parent`].
    pub fn outlive_parent(self) -> Self {
        self.command(Command::outlive_parent)
    }

    /// Bounds the time for which descendants that hold an output are waited for after the
    /// program's exit; 500 ms otherwise, and without a bound for `None`, also if the command has one.
    pub fn drain_after_exit(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.drain_after_exit = after.into();
        self
    }

    /// Has `call` called for each line of both outputs while the program runs.
    ///
    /// Lines end with a line feed, and a carriage return before it is no part of them; the last one
    /// need not end so. The outputs are kept as well: with
    /// [`Keep::nothing`] they are not. An unterminated last line comes at the end of the program and
    /// of both outputs, and not at all if a stop of the reactor has cut it off. Nothing is called
    /// after the result.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Keep, Reactor, Run};
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let seen = Rc::new(RefCell::new(Vec::new()));
    /// let lines = Rc::clone(&seen);
    /// let run = Run::new("seq")
    ///     .arg("3")
    ///     .keep(Keep::nothing())
    ///     .for_each_line(move |line| lines.borrow_mut().push(line.text));
    /// reactor.block_on(run).unwrap();
    /// assert_eq!(*seen.borrow(), ["1", "2", "3"]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn for_each_line(mut self, call: impl FnMut(OutputLine) + 'static) -> Self {
        self.on_line = Some(Box::new(call));
        self
    }

    /// Sets the longest line, in bytes, for [`for_each_line`](Self::for_each_line): of a longer one
    /// the beginning is given, cut at a character. 64 KiB otherwise.
    pub fn max_line_bytes(mut self, max_bytes: usize) -> Self {
        self.max_line_bytes = max_bytes;
        self
    }

    /// Starts it, on the reactor of this thread.
    ///
    /// A program that cannot be started fails the `Deferred`, with [`OutputError::Spawn`].
    ///
    /// # Panics
    ///
    /// If the thread has no reactor ([`Handle::current`]).
    #[must_use = "dropping the result terminates the program: `done` or `detach` lets it run"]
    #[track_caller]
    pub fn start(self) -> Deferred<Outcome, OutputError> {
        self.start_on(&Handle::current())
    }

    /// Starts it, or panics, as [`start`](Self::start) does.
    #[must_use = "dropping the result terminates the program: `done` or `detach` lets it run"]
    #[track_caller]
    pub fn output(self) -> Deferred<Outcome, OutputError> {
        self.start()
    }

    /// Starts it on this reactor.
    #[must_use = "dropping the result terminates the program: `done` or `detach` lets it run"]
    pub fn start_on(self, reactor: &Handle) -> Deferred<Outcome, OutputError> {
        let line = quoted(&self.command);
        let lines = self.on_line.is_some().then(|| Lines::new(self.max_line_bytes));
        let grace = self.rules.kill_grace;
        let (job, deferred) = Job::new(reactor, self.rules, line, self.on_line);
        let command = self.command.owned(!self.rules.about.is_foreground).session_if_owned();
        // The thread is the reactor's, which ends its children when it is dropped.
        let command = command.kill_on_drop(true).kill_grace(grace);
        let mut command = command.die_with_thread_by_default();
        // A command that has a bound of its own cannot be rid of it: `Duration::MAX` is never.
        command = command.drain_after_exit(self.drain_after_exit.unwrap_or(Duration::MAX));
        if self.rules.about.is_merged {
            command = streams::merged(command);
        }
        let (stdin, feed) = match self.stdin.0 {
            Source::Nothing => (Some(Fd::null()), Feed::Nothing),
            Source::Bytes(data) => (Some(Fd::to_child()), Feed::Bytes(data)),
            Source::Reader(reader) => (Some(Fd::to_child()), Feed::Reader(reader)),
            Source::Fd(fd) => (Some(fd), Feed::Nothing),
            Source::Command => (None, Feed::Nothing),
        };
        if let Some(fd) = stdin {
            command = streams::with_input(command, fd);
        }
        let collector = Collector::new(job.clone(), feed, &command, lines);
        match reactor.spawn_process(collector, command) {
            Ok(_process) => {
                if let Some(after) = self.timeout {
                    job.arm(after);
                }
                deferred
            }
            Err(error) => Deferred::ready(Err(error.into())),
        }
    }
}

/// The command's own descriptors count, except 0 (see [`Stdin::as_in_command`]), and 1 and 2 where
/// the outputs are merged; so does everything else but `owned`, `kill_on_drop`,
/// `kill_grace` and `drain_after_exit`.
impl From<Command> for Run {
    fn from(command: Command) -> Self {
        Self {
            command,
            stdin: Stdin::nothing(),
            timeout: None,
            drain_after_exit: Some(DRAIN_AFTER_EXIT),
            on_line: None,
            max_line_bytes: MAX_LINE_BYTES,
            rules: Rules {
                fail_on: FailOn::Nothing,
                fails_on_stderr: false,
                stops_at_limit: false,
                about: About::default(),
                kill_grace: KILL_GRACE,
                keep: Keep::default(),
            },
        }
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

/// Starts it, as [`Run::start`] does.
impl IntoFuture for Run {
    type Output = <Deferred<Outcome, OutputError> as Future>::Output;
    type IntoFuture = Deferred<Outcome, OutputError>;

    #[track_caller]
    fn into_future(self) -> Self::IntoFuture {
        self.start()
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("command", &self.command)
            .field("stdin", &self.stdin)
            .field("timeout", &self.timeout)
            .field("drain_after_exit", &self.drain_after_exit)
            .field("has_on_line", &self.on_line.is_some())
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
