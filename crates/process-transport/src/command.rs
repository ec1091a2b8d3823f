//! Describes the child to start: a [`Command`], which may be spawned any number of times.

mod before_exec;
mod ending;
mod fd;
pub(crate) mod fd_map;
mod identity;
pub(crate) mod named_fds;
mod number_map;
mod pty;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use ending::{EndOptions, OwnerEnd};
pub(crate) use fd::FdKind;
pub use fd::{Fd, FileMode};
pub(crate) use identity::{Identity, NewSession, RareOptions};
use procession_protocol::{ChildFd, SpawnPath};
pub use pty::Pty;

use self::fd_map::FdMap;
pub(crate) use self::number_map::NumberMap;
pub use crate::sys::{Resource, Rlimit};

/// A program with its arguments, environment, descriptors and identity.
///
/// The methods are named as those of `std::process::Command`, and take and return the command by value.
/// Nothing is checked or opened before the spawn, which also takes `&command`.
///
/// # Examples
///
/// ```
/// use procession::{Command, Fd};
///
/// let gpg = Command::new("gpg")
///     .args(["--decrypt", "--batch", "--passphrase-fd", "3", "--status-fd", "4"])
///     .child_fd(2, Fd::inherit(std::io::stderr()))
///     .child_fd(3, Fd::to_child())
///     .child_fd(4, Fd::from_child());
/// assert_eq!(gpg.get_program(), "gpg");
/// assert_eq!(gpg.get_args().count(), 6);
/// ```
#[derive(Clone)]
#[must_use = "a command does nothing until it is spawned"]
pub struct Command {
    pub(crate) program: OsString,
    pub(crate) arg0: Option<OsString>,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Environment,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) fds: FdMap,
    /// In a box, like every large part that few commands have: a command is moved often.
    pub(crate) pty: Option<Box<Pty>>,
    pub(crate) identity: Identity,
    pub(crate) spawn_path: Option<SpawnPath>,
    pub(crate) ending: EndOptions,
    pub(crate) drain_after_exit: Option<Duration>,
    pub(crate) without_pidfd: bool,
    pub(crate) pipes_grow: bool,
}

/// The changes to the parent's environment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    pub(crate) clear: bool,
    /// `None` removes the variable.
    pub(crate) changes: BTreeMap<OsString, Option<OsString>>,
}

impl Command {
    /// Creates a command that runs `program` without arguments.
    ///
    /// A name without a slash is searched for in the child's `PATH` if the command sets one, else
    /// in the parent's, else in `/bin:/usr/bin`; an empty element is skipped and never means the
    /// working directory. A name with a slash is a path, relative to the child's working directory.
    ///
    /// A script without `#!` fails with `ENOEXEC`: no shell is tried. A missing interpreter, such as
    /// one with a carriage return after its name, is `ENOENT`, like a missing script (`execve(2)`).
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arg0: None,
            args: Vec::new(),
            env: Environment::default(),
            cwd: None,
            fds: FdMap::default(),
            pty: None,
            identity: Identity::default(),
            spawn_path: None,
            ending: EndOptions::default(),
            drain_after_exit: None,
            without_pidfd: false,
            pipes_grow: true,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets `argv[0]`; by default it is the program as given.
    pub fn arg0(mut self, arg0: impl AsRef<OsStr>) -> Self {
        self.arg0 = Some(arg0.as_ref().to_owned());
        self
    }

    /// Sets a variable in the child's environment, which otherwise is the parent's.
    ///
    /// The last value for a name wins. The parent's environment is read at the spawn.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.changes.insert(key.as_ref().to_owned(), Some(value.as_ref().to_owned()));
        self
    }

    /// Sets variables in the child's environment.
    pub fn envs(
        mut self,
        vars: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        for (key, value) in vars {
            self = self.env(key, value);
        }
        self
    }

    /// Removes a variable, the parent's or one set before, from the child's environment.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.env.changes.insert(key.as_ref().to_owned(), None);
        self
    }

    /// Starts the child's environment empty and drops the variables set before.
    pub fn env_clear(mut self) -> Self {
        self.env.clear = true;
        self.env.changes.clear();
        self
    }

    /// Sets the child's working directory.
    ///
    /// A relative program path is resolved in it. If the directory is missing, the spawn fails at
    /// [`Step::Chdir`](crate::Step::Chdir).
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.cwd = Some(dir.as_ref().to_owned());
        self
    }

    /// Sets what the child finds on one descriptor number; the last call for a number wins.
    ///
    /// By default 0 is [`Fd::to_child`], 1 and 2 are [`Fd::from_child`]. A `File` is [inherited](Fd::inherit).
    pub fn child_fd(mut self, number: impl Into<ChildFd>, fd: impl Into<Fd>) -> Self {
        self.fds.set(number.into(), fd.into());
        self
    }

    /// Sets what the child finds on 0: [`child_fd`](Self::child_fd) by std's name.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Fd};
    ///
    /// let passwords = std::fs::File::open("/etc/passwd")?;
    /// let sort = Command::new("sort").stdin(passwords).stderr(Fd::null());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stdin(self, fd: impl Into<Fd>) -> Self {
        self.child_fd(ChildFd::STDIN, fd)
    }

    /// Sets what the child finds on 1: [`child_fd`](Self::child_fd) by std's name.
    pub fn stdout(self, fd: impl Into<Fd>) -> Self {
        self.child_fd(ChildFd::STDOUT, fd)
    }

    /// Sets what the child finds on 2: [`child_fd`](Self::child_fd) by std's name.
    pub fn stderr(self, fd: impl Into<Fd>) -> Self {
        self.child_fd(ChildFd::STDERR, fd)
    }

    /// Replaces the whole map; numbers that it does not name are closed in the child, also 0 to 2.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Fd};
    ///
    /// // Only 0 and 7: the child has no stdout and no stderr.
    /// let command = Command::new("prog").child_fds([(0, Fd::null()), (7, Fd::from_child())]);
    /// ```
    #[doc(alias = "childFDs")]
    pub fn child_fds(
        mut self,
        fds: impl IntoIterator<Item = (impl Into<ChildFd>, impl Into<Fd>)>,
    ) -> Self {
        self.fds = self.fds.only(fds.into_iter().map(|(number, fd)| (number.into(), fd.into())));
        self
    }

    /// Gives the child a terminal as its 0, 1 and 2.
    ///
    /// All output arrives as child fd 1. The map may name numbers from 3 up only; [`Fd::same_as`]
    /// of 0, 1 or 2 is the terminal. A change of user also changes the terminal's owner.
    #[doc(alias = "usePTY")]
    pub fn pty(mut self, pty: Pty) -> Self {
        self.pty = Some(Box::new(pty));
        self
    }

    /// Forces one way of spawning; see [`SpawnPath`].
    ///
    /// If the command or the kernel cannot use it, the spawn fails at [`Step::Validate`](crate::Step::Validate).
    ///
    /// On a path that shares memory, a command that changes ids runs in the parent's memory as the
    /// target user until its exec; [`uid`](Self::uid) says what that user can do in that time.
    pub fn spawn_path(mut self, path: SpawnPath) -> Self {
        self.spawn_path = Some(path);
        self
    }

    /// Sets whether dropping the reactor, a [`Spawned`](crate::Spawned) or an async `Child` ends
    /// the child. By default this holds for an [owned](Self::owned) child only.
    ///
    /// A dropped reactor or `Spawned` kills the child. A dropped `Child` sends TERM, and KILL after
    /// [`kill_grace`](Self::kill_grace). Dropping a `Process` does nothing. A dropped reactor
    /// waits, for at most a second, until the processes that it killed are gone.
    pub fn kill_on_drop(mut self, kill: bool) -> Self {
        self.ending.kill_on_drop = Some(kill);
        self
    }

    /// Sets the time between TERM and KILL when the library itself ends the child; 2 s by default.
    ///
    /// It applies in these cases:
    ///
    /// - A signal or an exit ends the program: to an [owned](Self::owned) child, at most 2 s.
    /// - An async `Child` with [`kill_on_drop`](Self::kill_on_drop) is dropped: at most 2 s.
    /// - A reactor is dropped while a termination of the child is under way: the drop waits for the
    ///   termination for at most this time and a second, whatever grace the termination has. Here,
    ///   and in the next case, a time above 2 s counts in full.
    /// - A reactor is dropped after a signal has stopped its last run: to an owned child.
    pub fn kill_grace(mut self, grace: Duration) -> Self {
        self.ending.kill_grace = grace;
        self
    }

    /// Limits how long descendants that hold a pipe open can delay `process_ended`.
    ///
    /// When `after` has passed since the exit, each pipe that is still open is read once more for
    /// what it holds at that moment, and closed. Output of the child itself is never cut off. `None`
    /// sets no limit, which is the default: the end waits for the last writer.
    pub fn drain_after_exit(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.drain_after_exit = after.into();
        self
    }

    /// Sets whether pipes that carry bulk data grow, to 256 KiB and then 1 MiB; they do by default.
    ///
    /// All pipes of an unprivileged user share 64 MiB (`pipe-user-pages-soft` in `pipe(7)`); beyond
    /// that the system refuses, and a pipe keeps its size, which is the system's at first. See
    /// [`Process::pipe_size`](procession_protocol::Process::pipe_size).
    ///
    /// # Platform
    ///
    /// Linux; elsewhere pipes have a fixed size.
    pub fn adaptive_pipes(mut self, grow: bool) -> Self {
        self.pipes_grow = grow;
        self
    }

    /// Watches the exit by SIGCHLD, as on a kernel without pidfds; for tests.
    #[doc(hidden)]
    pub fn without_pidfd(mut self) -> Self {
        self.without_pidfd = true;
        self
    }

    /// Returns the program, as given.
    pub fn get_program(&self) -> &OsStr {
        &self.program
    }

    /// Returns the arguments, without `argv[0]`.
    pub fn get_args(&self) -> impl Iterator<Item = &OsStr> {
        self.args.iter().map(OsString::as_os_str)
    }

    /// Returns the changes to the parent's environment, by name: the value of a variable that the
    /// command sets, and `None` for one that it removes. After [`env_clear`](Self::env_clear) these
    /// are the variables set since.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Command;
    /// use std::ffi::OsStr;
    ///
    /// let command = Command::new("make").env("LANG", "C").env_remove("MAKEFLAGS");
    /// let changes: Vec<_> = command.get_envs().collect();
    /// let lang = (OsStr::new("LANG"), Some(OsStr::new("C")));
    /// assert_eq!(changes, [lang, (OsStr::new("MAKEFLAGS"), None)]);
    /// ```
    pub fn get_envs(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        self.env.changes.iter().map(|(name, value)| (name.as_os_str(), value.as_deref()))
    }

    /// Returns the working directory, if one is set.
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.cwd.as_deref()
    }

    /// Returns the terminal, if the child gets one.
    pub fn get_pty(&self) -> Option<&Pty> {
        self.pty.as_deref()
    }

    /// Returns whether the child is [owned](Self::owned).
    pub fn is_owned(&self) -> bool {
        self.identity.owned
    }

    /// Returns the numbers that the parent can write to; a terminal is written on 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Fd, Pty};
    ///
    /// let command = Command::new("gpg").child_fd(3, Fd::to_child()).child_fd(4, Fd::from_child());
    /// assert_eq!(command.input_fds(), [0, 3]);
    /// assert_eq!(command.output_fds(), [1, 2, 4]);
    /// ```
    pub fn input_fds(&self) -> Vec<ChildFd> {
        let terminal = self.pty.is_some().then_some(ChildFd::STDIN);
        self.fds.numbers(terminal, |kind| matches!(kind, FdKind::ToChild | FdKind::Socketpair))
    }

    /// Returns the numbers that the parent reads; a terminal is read on 1.
    pub fn output_fds(&self) -> Vec<ChildFd> {
        let terminal = self.pty.is_some().then_some(ChildFd::STDOUT);
        self.fds.numbers(terminal, |kind| matches!(kind, FdKind::FromChild | FdKind::Socketpair))
    }

    /// Returns what the child finds on each number, with the default map filled in and closed ones
    /// left out.
    pub(crate) fn fd_entries(&self) -> NumberMap<&Fd> {
        self.fds.filled_in(self.pty.is_some())
    }
}

impl From<&Self> for Command {
    fn from(command: &Self) -> Self {
        command.clone()
    }
}

/// Prints one line, as std does: `"program" "argument"`, or `["program"] "argv0" "argument"`. Does not
/// print the environment, which may hold secrets.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.arg0 {
            None => write!(f, "{:?}", self.program)?,
            Some(arg0) => write!(f, "[{:?}] {arg0:?}", self.program)?,
        }
        self.args.iter().try_for_each(|arg| write!(f, " {arg:?}"))
    }
}
/// A program without arguments, from each type that can hold its name or path.
macro_rules! from_programs {
    ($($program:ty),*) => {
        $(
            impl From<$program> for Command {
                fn from(program: $program) -> Self {
                    Self::new(program)
                }
            }
        )*
    };
}

from_programs!(&str, String, &String, &OsStr, OsString, &Path, PathBuf, &PathBuf);

#[cfg(test)]
mod tests;
