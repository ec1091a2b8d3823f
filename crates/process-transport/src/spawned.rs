//! The blocking verbs of a [`Spawned`]: a child that needs no loop.
//!
//! # Model
//!
//! It has the parent's ends, the pidfd and what the command said of the child's end. The verbs that
//! wait do so by `poll(2)` over the pidfd and the ends at once: no thread is started, and nothing can
//! block for good on one end while another one is full. `gather` has that loop.

mod clock;
mod gather;
mod handle;
#[cfg(feature = "reactor")]
mod last_end;
mod output;
mod owned_child;
mod take;
mod terminate;

pub use handle::Spawned;
pub use output::Output;
pub use take::TakeError;

#[cfg(feature = "reactor")]
pub(crate) use clock::since;
#[cfg(feature = "reactor")]
pub(crate) use last_end::LastEnd;
#[cfg(feature = "reactor")]
pub(crate) use owned_child::{AtDrop, OwnedChild};

use crate::command::Command;
use crate::error::SpawnError;
use crate::group::GroupLook;
use crate::launch::{self, ParentEnd};
use crate::program_end::AtProgramEnd;
use crate::{group, orphans, sys};
use procession_core::Signal;
use procession_protocol::{
    ChildFd, ExitReason, GroupState, SignalError, SpawnPath, Termination, TerminationScope,
};
use rustix::termios::tcsetwinsize;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use terminate::Terminating;

impl Command {
    /// Starts the child, without a loop.
    ///
    /// The checks, the steps and the time that the thread stands still are those of
    /// `SpawnProcess::spawn_process`; nobody is called back. [`Spawned::take`] hands out the parent's
    /// ends, of [`Fd::to_child`](crate::Fd::to_child) for instance.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] says which step failed; then there is no child.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_process_transport::{Command, Step};
    ///
    /// let error = Command::new("/no/such/program").spawn().unwrap_err();
    /// assert_eq!(error.step(), Step::Exec);
    /// assert!(Command::new("true").spawn()?.wait()?.is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn(&self) -> Result<Spawned, SpawnError> {
        orphans::reap();
        let mut spawned = Spawned::start(self, AtProgramEnd::without_loop())?;
        if let Some(terminal) = &mut spawned.terminal {
            terminal.before.forget();
        }
        Ok(spawned)
    }
}

impl Spawned {
    /// The process id; after the reap, which every wait does, it may be another process's.
    pub fn pid(&self) -> u32 {
        self.child.pid
    }

    /// How the child was started.
    pub fn spawned_by(&self) -> SpawnPath {
        self.child.path
    }

    /// A duplicate of the child's pidfd, which is readable once the child has ended (`pidfd_open(2)`).
    ///
    /// # Errors
    ///
    /// `Unsupported` where there is none: before Linux 5.3, and elsewhere. `ESRCH` after the reap.
    pub fn pidfd(&self) -> io::Result<OwnedFd> {
        match &self.child.pidfd {
            _ if cfg!(not(target_os = "linux")) => Err(no_pidfd()),
            _ if self.reason.is_some() => Err(io::Error::from_raw_os_error(libc::ESRCH)),
            Some(pidfd) => pidfd.try_clone(),
            None => Err(no_pidfd()),
        }
    }

    /// Hands out the parent's end of `fd`, blocking, as std's pipes are.
    ///
    /// Of a terminal it is the master, and belongs to 1; it ends with the error `EIO`, once nobody has
    /// the terminal open any more. What is taken is the caller's to read, write and close: no verb
    /// touches it any more.
    ///
    /// # Errors
    ///
    /// [`TakeError`]: the parent has no end of that number, or it was taken or closed before.
    pub fn take(&mut self, fd: impl Into<ChildFd>) -> Result<OwnedFd, TakeError> {
        let fd = fd.into();
        let Some(index) = self.ends.iter().position(|end| end.fd == fd) else {
            let gone = self.taken.contains(&fd);
            return Err(if gone { TakeError::Taken(fd) } else { TakeError::Unknown(fd) });
        };
        take::make_blocking(&self.ends[index].end).map_err(|error| TakeError::Os(fd, error))?;
        if let Some(terminal) = self.terminal.as_mut().filter(|_| fd == ChildFd::STDOUT) {
            terminal.slave = None; // or whoever reads the master would not see its end
        }
        self.taken.push(fd);
        Ok(self.ends.remove(index).end)
    }

    /// Reaps the child if it has ended; `None` while it runs. No output is read.
    ///
    /// # Errors
    ///
    /// The system refuses the wait (`waitid(2)`).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitReason>> {
        orphans::reap();
        self.try_reap()?;
        Ok(self.reason.clone())
    }

    /// Waits until the child is reaped, and until the outputs that were not taken have ended.
    ///
    /// The inputs that were not taken are closed first, and the outputs are read and dropped, so that
    /// the child comes to its end. The input of a terminal stays open: its close would hang the child
    /// up. Descendants that hold an output open are waited for, at most as
    /// long as [`Command::drain_after_exit`] says, if it says something.
    ///
    /// # Errors
    ///
    /// The system refuses the wait (`waitid(2)`, `poll(2)`).
    pub fn wait(&mut self) -> io::Result<ExitReason> {
        self.close_inputs();
        self.gather(None, None, Self::is_over)?;
        self.reason.clone().ok_or_else(|| io::ErrorKind::Other.into())
    }

    /// The same for at most `timeout`; `None` if the child, or an output, goes on after that.
    ///
    /// `Duration::ZERO` looks once, and reads what the outputs hold then.
    ///
    /// # Errors
    ///
    /// As for [`Spawned::wait`].
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Option<ExitReason>> {
        self.close_inputs();
        let over = self.gather(None, clock::after(timeout), Self::is_over)?;
        Ok(self.reason.clone().filter(|_| over))
    }

    /// Waits for the end as [`wait`](Self::wait) does, and keeps what the child writes to the outputs
    /// that were not taken, all of it.
    ///
    /// # Errors
    ///
    /// As for [`Spawned::wait`]; and the system refuses to read an output (`read(2)`).
    pub fn output(mut self) -> io::Result<Output> {
        self.close_inputs();
        let mut kept = Output::default();
        self.gather(Some(&mut kept), None, Self::is_over)?;
        kept.reason = self.reason.take().ok_or(io::ErrorKind::Other)?;
        Ok(kept)
    }

    /// Sends a signal to the child.
    ///
    /// # Errors
    ///
    /// [`SignalError::ProcessExitedAlready`] after the reap; else what the kernel says.
    pub fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        if self.reason.is_some() {
            return Err(SignalError::ProcessExitedAlready);
        }
        sys::send(self.child.as_sys(), signal).map_err(signal_error)
    }

    /// Sends a signal to the group that the child leads, also after the reap on Linux 6.9 and later.
    ///
    /// # Errors
    ///
    /// [`SignalError::NoGroup`] where it leads none; [`SignalError::ProcessExitedAlready`] where the
    /// group is empty, or can be named no more.
    pub fn signal_group(&self, signal: Signal) -> Result<(), SignalError> {
        if !self.policy.leads_group {
            return Err(SignalError::NoGroup);
        }
        self.child.signal_group(signal, self.reason.is_some()).map_err(signal_error)
    }

    /// Sends `signal`, waits for `grace`, then sends KILL; returns once the child is reaped.
    ///
    /// Where the child is [owned](Command::owned) it acts on the whole group, and returns once that is
    /// empty, a second after KILL at the latest: [`Termination::is_gone`] tells which. A stopped child
    /// is continued. Outputs that were not taken are read and dropped meanwhile, so that a child that
    /// writes can end; of an owned one they are closed afterwards, whoever holds them.
    ///
    /// Processes that left the group are not touched.
    ///
    /// # Errors
    ///
    /// The first signal cannot be sent, as for [`Spawned::signal`]; or the system refuses the wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_core::Signal;
    /// use procession_process_transport::Command;
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
    /// `ENOTTY` where there is no terminal, or its master was taken; or what the kernel says.
    pub fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let is_master = |end: &&ParentEnd| self.terminal.is_some() && end.fd == ChildFd::STDOUT;
        let master = self.ends.iter().find(is_master);
        let master = master.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTTY))?;
        let size = procession_protocol::WindowSize::new(rows, columns);
        Ok(tcsetwinsize(&master.end, launch::kernel_size(size))?)
    }

    /// Kills the child, which is not to run after all, with the group that it leads, and reaps it.
    #[cfg(feature = "reactor")]
    pub(crate) fn end_now(mut self) {
        if self.reason.is_none() {
            let (place, pidfd) = self.child.give_away();
            drop(place);
            orphans::end_now(self.child.pid, pidfd, self.policy.leads_group);
        }
    }

    fn scope(&self) -> TerminationScope {
        self.policy.scope()
    }

    /// To the group when it is owned, also to a leader that left it; else to the child alone.
    fn signal_scope(&self, signal: Signal) -> Result<(), SignalError> {
        if self.scope() != TerminationScope::Group {
            return self.signal(signal);
        }
        let to_group = self.signal_group(signal);
        if self.reason.is_none() && !group::is_led_by(self.child.pid) {
            return self.signal(signal).or(to_group);
        }
        to_group
    }

    /// Kills the child first: one that has just begun may not lead its group yet. Nobody who is gone
    /// needs it.
    fn kill_scope(&self) {
        self.signal(Signal::KILL).ok();
        if self.scope() == TerminationScope::Group {
            self.signal_group(Signal::KILL).ok();
        }
    }

    fn look_at_group(&self, look: &mut GroupLook) -> GroupState {
        let pidfd = self.child.pidfd.as_ref().map(AsFd::as_fd);
        group::look(look, self.child.pid, pidfd, self.reason.is_some())
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

/// What the verbs say of a child that has none.
pub(crate) fn no_pidfd() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "there is no pidfd of the child")
}

/// Error numbers of a signal that could not be sent.
fn signal_error(errno: i32) -> SignalError {
    match errno {
        libc::ESRCH => SignalError::ProcessExitedAlready,
        errno => SignalError::Os(io::Error::from_raw_os_error(errno)),
    }
}
