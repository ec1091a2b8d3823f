//! A running child, for tasks of tokio.

mod gather;
mod halves;
mod reap;
mod running;
mod streams;
mod terminate;

use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Output};
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::Spawned;
use procession_process_transport::driver::LoopSpawned;
use procession_protocol::{ExitReason, SignalError, SpawnPath, Termination, UnknownEnd};
use rustix::termios::{Winsize, tcsetwinsize};

use self::gather::gather;
use self::halves::Halves;
use self::running::Running;
use crate::ends::{ChildReader, ChildWriter};

/// The writer of a child's stdin.
pub type ChildStdin = ChildWriter;
/// The reader of a child's stdout.
pub type ChildStdout = ChildReader;
/// The reader of a child's stderr.
pub type ChildStderr = ChildReader;

/// A child that runs.
///
/// [`Command::spawn`](crate::Command::spawn) makes it. It belongs to no runtime: each wait, read and
/// write uses the runtime in which it is polled. So a child may be started without a runtime, and
/// may be moved to another one, also after the first one is gone.
///
/// # Drop
///
/// If the command is [killed on drop](crate::Command::kill_on_drop), the drop sends KILL to the child,
/// and to the group that it leads. Otherwise the child runs on. In both cases a task of the current
/// runtime, which must have I/O, reaps it. Without a runtime, later spawns and waits of this process reap it, and until
/// then it may be a zombie.
///
/// # Examples
///
/// ```
/// use procession_tokio::{Command, Stdio};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let mut sort = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// sort.stdin.take().expect("it is a pipe").write_all(b"b\na\n").await?;
/// let mut sorted = String::new();
/// sort.stdout.take().expect("it is a pipe").read_to_string(&mut sorted).await?;
/// assert_eq!(sorted, "a\nb\n");
/// assert!(sort.wait().await?.success());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it kills a child that is killed on drop"]
pub struct Child {
    /// The first field, so that its drop lets the process go before a stream closes.
    running: Running,
    /// What the child reads on 0, if the parent writes it.
    pub stdin: Option<ChildStdin>,
    /// What the child writes to 1, if the parent reads it. All output of a terminal is here.
    pub stdout: Option<ChildStdout>,
    /// What the child writes to 2, if the parent reads it.
    pub stderr: Option<ChildStderr>,
    /// What is left of ends with two directions.
    halves: Halves,
    /// The master of the child's terminal.
    terminal: Option<OwnedFd>,
}

impl Child {
    /// Takes a child that was started without tokio, on any thread.
    ///
    /// # Errors
    ///
    /// There is no descriptor for a second direction of a terminal or socket (`dup(2)`: EMFILE).
    /// The child is then dropped.
    pub fn adopt(spawned: Spawned) -> io::Result<Self> {
        let mut child = Self::without_streams(spawned);
        child.take_streams()?;
        Ok(child)
    }

    /// Takes a child that has just begun. It must not run on if its streams cannot be made.
    pub(crate) fn begin(spawned: Spawned) -> io::Result<Self> {
        let mut child = Self::without_streams(spawned);
        child.take_streams().inspect_err(|_| {
            child.spawned().kill().ok(); // it may have ended
        })?;
        Ok(child)
    }

    fn without_streams(spawned: Spawned) -> Self {
        Self {
            running: Running::new(spawned),
            stdin: None,
            stdout: None,
            stderr: None,
            halves: Halves::default(),
            terminal: None,
        }
    }

    /// Returns the process id; `None` once the child is reaped, when another process may have it.
    pub fn id(&self) -> Option<u32> {
        let spawned = self.spawned();
        self.reason().is_none().then(|| spawned.pid())
    }

    /// Returns the way in which the child was started.
    pub fn spawned_by(&self) -> SpawnPath {
        self.spawned().spawned_by()
    }

    /// Returns whether waits use a pidfd. Otherwise they look at growing pauses, of 1 to 50 ms:
    /// before Linux 5.3, on other systems, and where a filter refuses pidfds.
    pub fn has_pidfd(&self) -> bool {
        self.reason().is_none() && self.spawned().exit_fd().is_some()
    }

    /// Returns how the child ended, once it is reaped: with its resource usage, and the reason if
    /// its status is unknown.
    pub fn reason(&self) -> Option<&ExitReason> {
        self.spawned().end_reason()
    }

    /// Waits until the child has ended, and reaps it.
    ///
    /// Closes the inputs that were not taken first, also the one in the field
    /// [`stdin`](Self::stdin), so that a child that reads to the end can end. The input of a terminal stays open, because its close would
    /// hang up the child. Outputs are not read: a child that fills a pipe does not end. See
    /// [`wait_with_output`](Self::wait_with_output).
    ///
    /// It is cancel safe, and may be called again after the end.
    ///
    /// # Errors
    ///
    /// The system refuses the wait; it is polled outside of a runtime, and the child has not ended;
    /// or the status is unknown ([`reason`](Self::reason) tells why), for instance because the
    /// program ignores SIGCHLD.
    ///
    /// # Panics
    ///
    /// If the runtime has no I/O, or, without a pidfd, no time.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.close_inputs();
        status_of(&self.running.ended().await?)
    }

    /// Reaps the child if it has ended; returns `None` while it runs. Closes no input.
    ///
    /// # Errors
    ///
    /// The system refuses the wait; or the status is unknown, as for [`wait`](Self::wait). It needs
    /// no runtime.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.running.try_reap()?.map(|reason| status_of(&reason)).transpose()
    }

    /// Waits as [`wait`](Self::wait) does, and keeps everything that the child writes to the
    /// outputs in [`stdout`](Self::stdout) and [`stderr`](Self::stderr).
    ///
    /// It reads until no process has the outputs open any more, or, with
    /// [`drain_after_exit`](crate::Command::drain_after_exit), until that time has passed after the
    /// exit.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait); or the system refuses to read an output.
    ///
    /// # Panics
    ///
    /// As for [`wait`](Self::wait); with `drain_after_exit` also if the runtime has no time.
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        self.close_inputs();
        let outputs = [self.stdout.take(), self.stderr.take()];
        let drain = self.spawned().drain_after_exit();
        let (reason, [stdout, stderr]) = gather(self.running.ended(), outputs, drain).await?;
        Ok(Output { status: status_of(&reason)?, stdout, stderr })
    }

    /// Sends KILL to the child, and to the group of an [owned](crate::Command::owned) child. Does
    /// nothing once the child is reaped.
    ///
    /// # Errors
    ///
    /// The kernel's error (`kill(2)`).
    pub fn start_kill(&mut self) -> io::Result<()> {
        let spawned = self.spawned();
        if self.reason().is_some() {
            return Ok(());
        }
        match if spawned.is_owned() { spawned.kill() } else { spawned.signal(Signal::KILL) } {
            Ok(()) | Err(SignalError::ProcessExitedAlready) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends KILL as [`start_kill`](Self::start_kill) does, and waits for the end of the child.
    ///
    /// # Errors
    ///
    /// Those of both.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.start_kill()?;
        self.wait().await.map(drop)
    }

    /// Sends a signal to the child.
    ///
    /// # Errors
    ///
    /// [`SignalError::ProcessExitedAlready`] after the reap; else the kernel's error.
    pub fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        self.spawned().signal(signal)
    }

    /// Sends a signal to the group that the child leads, also after the reap on Linux 6.9 and later.
    ///
    /// # Errors
    ///
    /// [`SignalError::NoGroup`] if the child leads no group; [`SignalError::ProcessExitedAlready`]
    /// if the group is empty or can no longer be named.
    pub fn signal_group(&self, signal: Signal) -> Result<(), SignalError> {
        self.spawned().signal_group(signal)
    }

    /// Sends `signal`, waits for `grace`, sends KILL, and returns once the child is reaped.
    ///
    /// For an [owned](crate::Command::owned) child it acts on the whole group and returns once the
    /// group is empty. It returns a second after KILL at the latest; [`Termination::is_gone`] tells
    /// which. A stopped child is continued. Processes that left the group are not affected.
    ///
    /// Outputs are not read meanwhile. The streams in the fields stay open. The other outputs of an
    /// owned child that [`take_reader`](Self::take_reader) has not handed out are closed afterwards.
    ///
    /// If the future is dropped before its end, nothing more is sent.
    ///
    /// # Errors
    ///
    /// The first signal cannot be sent, as with [`signal`](Self::signal); the system refuses the
    /// wait; or it is polled outside of a runtime. Outside of a runtime nothing is sent.
    ///
    /// # Panics
    ///
    /// If the runtime has no I/O or no time.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_tokio::{Command, Signal};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut shell = Command::new("sh").args(["-c", "sleep 600 & wait"]).owned(true).spawn()?;
    /// let ended = shell.terminate(Signal::TERM, Duration::from_secs(10)).await?;
    /// assert!(ended.is_gone()); // the whole group
    /// assert_eq!(ended.signal(), Some(Signal::TERM));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn terminate(
        &mut self,
        signal: Signal,
        grace: Duration,
    ) -> Result<Termination, SignalError> {
        self.running.terminate(signal, grace).await
    }

    /// Sets the size of the child's terminal, in character cells.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the child has no terminal; else the kernel's error.
    pub fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let Some(master) = &self.terminal else {
            return self.spawned().resize(rows, columns); // its error
        };
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(master, size)?)
    }

    fn spawned(&self) -> &Spawned {
        self.running.spawned()
    }
}

/// Returns the status of a child that was reaped, as std has it.
fn status_of(reason: &ExitReason) -> io::Result<ExitStatus> {
    let (status, why) = match reason {
        Ok(done) => (done.exit_status(), done.unknown_end()),
        Err(terminated) => (terminated.exit_status(), terminated.unknown_end()),
    };
    status.ok_or_else(|| {
        let why = why.unwrap_or(UnknownEnd::Taken);
        io::Error::other(format!("the status of the child is unknown: {why}"))
    })
}
