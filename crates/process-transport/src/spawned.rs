//! The blocking verbs of a [`Spawned`], a child that needs no loop.
//!
//! # Model
//!
//! A `Spawned` holds the parent's ends, the pidfd and the command's options for the child's end.
//! Verbs that wait use one `poll(2)` over the pidfd and all ends: no thread is started, and no verb
//! can block for good on one end while another one is full. The loop is in `gather`.

mod attended;
mod clock;
mod for_loops;
mod gather;
mod growing_pipe;
mod handle;
mod intake;
#[cfg(feature = "reactor")]
mod last_end;
mod output;
mod owned_child;
mod sink;
mod take;
mod terminate;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

pub use attended::{Attended, Turn};
pub use clock::Stopwatch;
#[cfg(feature = "reactor")]
pub(crate) use clock::since;
pub use for_loops::{LoopCommand, LoopSpawned};
pub use growing_pipe::GrowingPipe;
pub use handle::Spawned;
#[cfg(feature = "reactor")]
pub(crate) use last_end::LastEnd;
pub use output::Output;
#[cfg(feature = "reactor")]
pub(crate) use owned_child::{DropAction, OwnedChild};
use procession_core::Signal;
use procession_protocol::driver::{GroupState, TerminationScope};
use procession_protocol::{ChildFd, ExitReason, SignalError, SpawnPath, Termination};
use rustix::termios::tcsetwinsize;
use sink::Discarded;
pub use sink::Sink;
pub use take::TakeError;
pub use terminate::Terminating;

use crate::command::Command;
use crate::command::fd_map::DefaultStdio;
use crate::error::SpawnError;
use crate::group::GroupLook;
use crate::launch::{self, ParentEnd};
use crate::own_children::KnownEnd;
use crate::program_end::AtProgramEnd;
use crate::sealed::SealedLoopCommand;
use crate::trace::{self, SentTo};
use crate::{group, orphans, sys};

impl SealedLoopCommand for Command {}
impl LoopCommand for Command {
    fn inherit_by_default(&mut self) {
        self.fds.set_default(DefaultStdio::Inherited);
    }

    fn pipe_by_default(&mut self) {
        self.fds.set_default(DefaultStdio::Pipes);
    }

    fn has_terminal(&self) -> bool {
        self.pty.is_some()
    }
}

impl Command {
    /// Starts the child, without a loop.
    ///
    /// The checks, the steps and the time for which the thread stands still are those of
    /// `SpawnProcess::spawn_process`, but there are no callbacks. [`Spawned::take`] hands out the
    /// parent's end of a pipe, for instance of [`Fd::to_child`](crate::Fd::to_child).
    ///
    /// # Errors
    ///
    /// [`SpawnError`] says which step failed. Then no child runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Step};
    ///
    /// let error = Command::new("/no/such/program").spawn().unwrap_err();
    /// assert_eq!(error.step(), Step::Exec);
    /// assert!(Command::new("true").spawn()?.wait()?.is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn(&self) -> Result<Spawned, SpawnError> {
        Spawned::start_without_loop(self, AtProgramEnd::without_loop())
    }
}

impl Spawned {
    fn start_without_loop(command: &Command, end: AtProgramEnd) -> Result<Self, SpawnError> {
        orphans::reap();
        let mut spawned = Self::start(command, end)?;
        if let Some(terminal) = &mut spawned.terminal {
            terminal.before.forget();
        }
        Ok(spawned)
    }

    /// Returns the process id. Once the child is reaped, as after every wait, another process may
    /// have it.
    pub fn pid(&self) -> u32 {
        self.child.pid
    }

    /// Returns the way in which the child was started.
    pub fn spawned_by(&self) -> SpawnPath {
        self.child.path
    }

    /// Returns a duplicate of the child's pidfd, which is readable once the child has ended
    /// (`pidfd_open(2)`).
    ///
    /// # Errors
    ///
    /// `Unsupported` without pidfds: before Linux 5.3, and on other systems. `ESRCH` after the
    /// reap.
    pub fn pidfd(&self) -> io::Result<OwnedFd> {
        match &self.child.pidfd {
            _ if cfg!(not(target_os = "linux")) => Err(no_pidfd()),
            _ if self.reason.is_some() => Err(io::Error::from_raw_os_error(libc::ESRCH)),
            Some(pidfd) => pidfd.try_clone(),
            None => Err(no_pidfd()),
        }
    }

    /// Hands out the parent's end of `fd`. It is blocking, like std's pipes.
    ///
    /// The end of a terminal is the master, on number 1. Reads of it fail with `EIO` once no
    /// process has the terminal open any more. The caller reads, writes and closes a taken end; no
    /// verb touches it any more.
    ///
    /// # Errors
    ///
    /// [`TakeError`]: the parent has no end on that number, or the end was taken or closed before.
    pub fn take(&mut self, fd: impl Into<ChildFd>) -> Result<OwnedFd, TakeError> {
        Ok(self.take_parent_end(fd.into(), ParentEnd::make_blocking)?.end)
    }

    /// Takes the parent's end of `fd` out, once `change` has succeeded.
    fn take_parent_end(
        &mut self,
        fd: ChildFd,
        change: impl FnOnce(&mut ParentEnd) -> io::Result<()>,
    ) -> Result<ParentEnd, TakeError> {
        let Some(index) = self.ends.iter().position(|end| end.fd == fd) else {
            let gone = self.taken.contains(&fd);
            return Err(if gone { TakeError::Taken(fd) } else { TakeError::Unknown(fd) });
        };
        change(&mut self.ends[index]).map_err(|error| TakeError::Os(fd, error))?;
        if let Some(terminal) = self.terminal.as_mut().filter(|_| fd == ChildFd::STDOUT) {
            terminal.slave = None; // else a reader of the master would not see its end
        }
        self.taken.push(fd);
        Ok(self.ends.remove(index))
    }

    /// Reaps the child if it has ended; returns `None` while it runs. No output is read.
    ///
    /// # Errors
    ///
    /// The system refuses the wait (`waitid(2)`).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitReason>> {
        orphans::reap();
        self.try_reap(KnownEnd::Unknown)?;
        Ok(self.reason.clone())
    }

    /// Waits until the child is reaped and until every output that was not taken has ended.
    ///
    /// The inputs that were not taken are closed first, and the outputs are read and dropped, so
    /// that the child can end. The input of a terminal stays open, because its close would hang up
    /// the child. If descendants hold an output open, the wait includes them, for at most
    /// [`Command::drain_after_exit`] if the command sets it.
    ///
    /// # Errors
    ///
    /// The system refuses the wait (`waitid(2)`, `poll(2)`).
    pub fn wait(&mut self) -> io::Result<ExitReason> {
        self.close_inputs();
        self.gather(&mut Discarded, None, Self::is_over)?;
        self.reason.clone().ok_or_else(|| io::ErrorKind::Other.into())
    }

    /// Waits likewise for at most `timeout`; returns `None` if the child, or an output, goes on
    /// after that.
    ///
    /// `Duration::ZERO` checks once, and reads what the outputs hold at that moment.
    ///
    /// # Errors
    ///
    /// As for [`Spawned::wait`].
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Option<ExitReason>> {
        self.close_inputs();
        let over = self.gather(&mut Discarded, clock::after(timeout), Self::is_over)?;
        Ok(self.reason.clone().filter(|_| over))
    }

    /// Waits as [`wait`](Self::wait) does, and keeps everything that the child writes to the
    /// outputs that were not taken.
    ///
    /// # Errors
    ///
    /// Those of [`Spawned::wait`]; or the system refuses to read an output (`read(2)`).
    pub fn output(mut self) -> io::Result<Output> {
        self.close_inputs();
        let mut kept = Output::default();
        self.gather(&mut kept, None, Self::is_over)?;
        kept.reason = self.reason.take().ok_or(io::ErrorKind::Other)?;
        Ok(kept)
    }

    /// Sends a signal to the child.
    ///
    /// # Errors
    ///
    /// [`SignalError::ProcessExitedAlready`] after the reap; else the kernel's error.
    pub fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        if self.reason.is_some() {
            return Err(SignalError::ProcessExitedAlready);
        }
        let sent = sys::send(self.child.as_sys(), signal);
        trace::signalled(SentTo::Child, self.child.pid, signal, sent.is_ok());
        sent.map_err(signal_error)
    }

    /// Sends a signal to the group that the child leads, also after the reap on Linux 6.9 and later.
    ///
    /// # Errors
    ///
    /// [`SignalError::NoGroup`] if the child leads no group; [`SignalError::ProcessExitedAlready`]
    /// if the group is empty or can no longer be named.
    pub fn signal_group(&self, signal: Signal) -> Result<(), SignalError> {
        if !self.policy.leads_group {
            return Err(SignalError::NoGroup);
        }
        let sent = self.child.signal_group(signal, self.reason.is_some());
        trace::signalled(SentTo::Group, self.child.pid, signal, sent.is_ok());
        sent.map_err(signal_error)
    }

    /// Sends `signal`, waits for `grace`, sends KILL, and returns once the child is reaped.
    ///
    /// For an [owned](Command::owned) child it acts on the whole group and returns once the group
    /// is empty. It returns a second after KILL at the latest; [`Termination::is_gone`] tells which. A
    /// stopped child is continued. Meanwhile outputs that were not taken are read and dropped, so
    /// that a child that writes can end; those of an owned child are closed afterwards, even if
    /// other processes hold them open.
    ///
    /// Processes that left the group are not affected.
    ///
    /// # Errors
    ///
    /// The first signal cannot be sent, as with [`Spawned::signal`]; or the system refuses the
    /// wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Signal};
    /// use std::time::Duration;
    ///
    /// let mut sleep = Command::new("sleep").arg("600").spawn()?;
    /// let ended = sleep.terminate(Signal::TERM, Duration::from_secs(10))?;
    /// assert_eq!(ended.signal(), Some(Signal::TERM));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn terminate(
        &mut self,
        signal: Signal,
        grace: Duration,
    ) -> Result<Termination, SignalError> {
        Terminating::run(self, signal, grace)
    }

    /// Sets the size of the child's terminal.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the child has no terminal or its master was taken; else the kernel's error.
    pub fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let is_master = |end: &&ParentEnd| self.terminal.is_some() && end.fd == ChildFd::STDOUT;
        let master = self.ends.iter().find(is_master);
        let master = master.ok_or_else(|| no_terminal(self.pid(), "set the window size"))?;
        let size = procession_protocol::WindowSize::new(rows, columns);
        Ok(tcsetwinsize(&master.end, launch::kernel_size(size))?)
    }

    /// Kills a child that shall not run after all, with the group that it leads, and reaps it.
    #[cfg(feature = "reactor")]
    pub(crate) fn end_now(mut self) {
        if self.reason.is_none() {
            self.child.kill_branch();
            let (place, pidfd) = self.child.give_away();
            drop(place);
            orphans::end_now(self.child.pid, pidfd, self.policy.leads_group);
        }
    }

    fn scope(&self) -> TerminationScope {
        self.policy.scope()
    }

    /// Signals the group of an owned child, and also a leader that left its group; else the child
    /// alone.
    fn signal_scope(&self, signal: Signal) -> Result<(), SignalError> {
        if self.scope() != TerminationScope::Group {
            return self.signal(signal);
        }
        let branch = self.child.branch.as_deref();
        let to_group = group::with_branch(branch, self.pid(), signal, self.signal_group(signal));
        if self.reason.is_none() && !group::is_led_by(self.child.pid) {
            return self.signal(signal).or(to_group);
        }
        to_group
    }

    /// Kills the child first, because a child that has just begun may not lead its group yet.
    /// Errors mean that the target is gone.
    fn kill_scope(&self) {
        self.signal(Signal::KILL).ok();
        if self.scope() == TerminationScope::Group {
            self.signal_group(Signal::KILL).ok();
            self.child.kill_branch();
        }
    }

    fn look_at_group(&self, look: &mut GroupLook) -> GroupState {
        let pidfd = self.child.pidfd.as_ref().map(AsFd::as_fd);
        let seen = group::look(look, self.child.pid, pidfd, self.reason.is_some());
        group::seen_with_branch(self.child.branch.as_deref(), seen)
    }
}

/// Makes this thread's spawning socketpair now, while low descriptor numbers are free.
///
/// A program that opens many descriptors before its first spawn calls this at the start of `main`;
/// then the cost of a spawn does not grow with the number of descriptors. Otherwise the thread's
/// first spawn makes the pair. The end of the thread closes it. With the feature `reactor`, on Linux,
/// it also makes the pairs of the two threads that launch for `spawn_process_soon`, unless they run
/// already.
///
/// # Platform
///
/// On Linux, if the program has only this thread, it also makes room for the numbers of 4,096
/// descriptors, or of as many as the soft limit allows, which takes 32 KiB in the kernel. The kernel
/// enlarges the table of descriptors when the numbers run out, at 256, 512, 1,024 of them and so on. In a
/// program with several threads, the call that gets such a number (`open`, `accept`, `pipe`, a spawn)
/// stands still for 8 to 24 ms each time. So call it before the first thread is started. A program that
/// raises its soft limit does that first. Only the GNU C library, from 2.32 on, tells how many threads
/// there are: with others, this has no effect on the table.
///
/// # Errors
///
/// The system cannot make the pair or the child's stack: `EMFILE`, `ENFILE`, `ENOMEM`.
///
/// # Examples
///
/// ```
/// procession::reserve_spawn_fds()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn reserve_spawn_fds() -> io::Result<()> {
    sys::reserve()?;
    #[cfg(all(feature = "reactor", target_os = "linux"))]
    sys::launch_threads::reserve()?;
    #[cfg(target_os = "linux")]
    sys::enlarge_fd_table();
    Ok(())
}

/// Returns the error of the verbs for a child without a pidfd.
pub(crate) fn no_pidfd() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "there is no pidfd of the child")
}

/// Returns the error of a terminal's verb for a child without a terminal; `what` says what the verb does.
pub(crate) fn no_terminal(pid: u32, what: &str) -> io::Error {
    let text = format!("cannot {what} of process {pid}: it has no terminal");
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// Converts the error number of a signal that could not be sent.
pub(crate) fn signal_error(errno: i32) -> SignalError {
    match errno {
        libc::ESRCH => SignalError::ProcessExitedAlready,
        errno => SignalError::Os(io::Error::from_raw_os_error(errno)),
    }
}
