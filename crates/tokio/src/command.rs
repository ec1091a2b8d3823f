//! A command with the builder of tokio.

mod options;

use std::ffi::OsStr;
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::path::Path;
use std::process::{ExitStatus, Output};

use procession_process_transport::driver::LoopCommand;
use procession_process_transport::{Command as Plain, Fd, SpawnError, Step};
use procession_protocol::ChildFd;

use crate::child::Child;
use crate::stdio::Stdio;

/// A program with its arguments, environment, descriptors and identity.
///
/// Its methods have the names and the form of `tokio::process::Command`, and those of
/// [`procession_process_transport::Command`]. Nothing is checked or opened before the spawn.
///
/// # Examples
///
/// ```
/// use procession_tokio::{Command, Fd, Stdio};
/// use tokio::io::AsyncWriteExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let mut command = Command::new("sh");
/// command.args(["-c", "cat <&3"]).stdout(Stdio::piped()).child_fd(3, Fd::to_child());
/// let mut child = command.spawn()?;
/// child.take_writer(3)?.write_all(b"passphrase").await?;
/// assert_eq!(child.wait_with_output().await?.stdout, b"passphrase");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Command(Plain);

impl Command {
    /// Creates a command that runs `program` without arguments.
    ///
    /// For `spawn` and `status` the child inherits 0, 1 and 2, unless the command names them.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self(Plain::new(program))
    }

    /// Changes the command by the methods that take it by value.
    ///
    /// If `change` panics, the command has no program any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_tokio::Command;
    ///
    /// let mut command = Command::new("true");
    /// command.configure(|command| command.owned(true).umask(0o077));
    /// ```
    pub fn configure(&mut self, change: impl FnOnce(Plain) -> Plain) -> &mut Self {
        let command = mem::replace(&mut self.0, Plain::new(""));
        self.0 = change(command);
        self
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.configure(|command| command.arg(arg))
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.configure(|command| command.args(args))
    }

    /// Sets a variable in the child's environment, which otherwise is the parent's.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.configure(|command| command.env(key, value))
    }

    /// Sets variables in the child's environment.
    pub fn envs(
        &mut self,
        vars: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Self {
        self.configure(|command| command.envs(vars))
    }

    /// Removes a variable, the parent's or one set before, from the child's environment.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Self {
        self.configure(|command| command.env_remove(key))
    }

    /// Starts the child's environment empty and drops the variables set before.
    pub fn env_clear(&mut self) -> &mut Self {
        self.configure(Plain::env_clear)
    }

    /// Sets the child's working directory.
    ///
    /// A relative program path is resolved in it.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Self {
        self.configure(|command| command.current_dir(dir))
    }

    /// Sets what the child finds on 0.
    pub fn stdin(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.stdio(ChildFd::STDIN, stdio.into())
    }

    /// Sets what the child finds on 1.
    pub fn stdout(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.stdio(ChildFd::STDOUT, stdio.into())
    }

    /// Sets what the child finds on 2.
    pub fn stderr(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.stdio(ChildFd::STDERR, stdio.into())
    }

    fn stdio(&mut self, number: ChildFd, stdio: Stdio) -> &mut Self {
        self.child_fd(number, stdio.into_fd(number))
    }

    /// Sets what the child finds on one descriptor number; the last call for a number wins.
    ///
    /// The parent's ends are [`Child::take_reader`] and [`Child::take_writer`].
    pub fn child_fd(&mut self, number: impl Into<ChildFd>, fd: impl Into<Fd>) -> &mut Self {
        self.configure(|command| command.child_fd(number, fd))
    }

    /// Sets whether the drop of the [`Child`] kills it; off by default, except for an
    /// [owned](Self::owned) child.
    ///
    /// A child that leads a process group is killed with its group: one that is
    /// [owned](Self::owned), has a [process group](Self::process_group) or a
    /// [session](Self::new_session) of its own, or a [terminal](Self::pty).
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.configure(|command| command.kill_on_drop(kill))
    }

    /// Starts the child. No runtime is needed for that.
    ///
    /// The calling thread stands still until the exec of the child is confirmed, which takes about
    /// 50 µs on an idle machine.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] says which step failed. Then no child runs. It converts to [`io::Error`].
    pub fn spawn(&mut self) -> Result<Child, SpawnError> {
        self.0.inherit_by_default();
        // A second descriptor for the other direction of a terminal is all that can fail.
        Child::begin(self.0.spawn()?)
            .map_err(|error| SpawnError::new(Step::Pty, self.0.get_program(), error))
    }

    /// Starts the child and waits for its end. The returned future need not be polled for the
    /// start.
    ///
    /// Pipes that the command names are closed.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn) and of [`Child::wait`].
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + use<> {
        let child = self.spawn();
        async move {
            let mut child = child?;
            drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
            child.wait().await
        }
    }

    /// Starts the child, waits for its end and keeps what it writes to 1 and 2. The returned future
    /// need not be polled for the start.
    ///
    /// As in tokio, 1 and 2 become pipes whatever the command said before, and 0 is inherited
    /// unless the command names it. A child with a [terminal](Self::pty) has all its output in
    /// `stdout`.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn) and of [`Child::wait_with_output`].
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + use<> {
        if !self.0.has_terminal() {
            self.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let child = self.spawn();
        async move { child?.wait_with_output().await }
    }
}

/// The same command. What it leaves open on 0, 1 and 2 is inherited, and no pipe.
impl From<Plain> for Command {
    fn from(command: Plain) -> Self {
        Self(command)
    }
}

/// The same command. What it leaves open on 0, 1 and 2 is a pipe again.
impl From<Command> for Plain {
    fn from(Command(mut command): Command) -> Self {
        command.pipe_by_default();
        command
    }
}

/// Prints one line, `"program" "argument"`, without the environment.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Lends the command for its getters.
impl AsRef<Plain> for Command {
    fn as_ref(&self) -> &Plain {
        &self.0
    }
}
