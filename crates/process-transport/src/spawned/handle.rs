//! The state of a [`Spawned`], from the confirmed exec on.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process;
use std::time::{Duration, Instant};

use procession_core::Signal;
use procession_core::driver::Direction;
use procession_protocol::driver::TerminationScope;
use procession_protocol::{ChildFd, ExitReason, SignalError};

use super::for_loops::LoopSpawned;
use super::owned_child::{DropAction, OwnedChild};
use super::take::TakeError;
use crate::command::Command;
use crate::error::SpawnError;
use crate::launch::{self, Launched, ParentEnd, Policy, Terminal};
use crate::program_end::AtProgramEnd;
use crate::sealed::SealedLoopSpawned;
use crate::sys::PeekOutcome;
use crate::trace;

/// A child that runs, for programs without a loop and for threads other than the loop's.
///
/// [`Command::spawn`] makes it. It can be sent to another thread and given to a reactor there. With
/// [`Command::kill_on_drop`] its drop kills the child, and also the group of an
/// [owned](Command::owned) child; what a reaped child has left in its group lives on. Otherwise the
/// child runs on; later spawns, waits and reactors of this process reap it, and until then it may be a
/// zombie.
///
/// # Examples
///
/// ```
/// use procession::Command;
/// use std::fs::File;
/// use std::io::Write;
///
/// let mut child = Command::new("sort").spawn()?;
/// File::from(child.take(0)?).write_all(b"b\na\n")?;
/// assert_eq!(child.output()?.stdout_utf8()?, "a\nb\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it kills a child that is killed on drop"]
pub struct Spawned {
    pub(crate) child: OwnedChild,
    pub(crate) ends: Vec<ParentEnd>,
    /// The numbers whose ends were taken or closed.
    pub(crate) taken: Vec<ChildFd>,
    /// Boxed, because few children have one, and each is moved several times.
    pub(crate) terminal: Option<Box<Terminal>>,
    pub(crate) policy: Policy,
    pub(crate) parent_peak_kib: i64,
    /// `Some` once the child is reaped.
    pub(crate) reason: Option<ExitReason>,
    /// When the child was reaped; `drain_after_exit` counts from here in every wait.
    pub(crate) reaped: Option<Instant>,
}

impl Spawned {
    /// Starts a child: from the checks to the confirmed exec.
    pub(crate) fn start(command: &Command, end: AtProgramEnd) -> Result<Self, SpawnError> {
        let spawned = Self::launch(command, end, None);
        // The child has its owner, should a subscriber panic.
        match &spawned {
            Ok(spawned) => trace::started(&command.program, spawned.child.pid, spawned.child.path),
            Err(error) => trace::not_started(&command.program, error),
        }
        spawned
    }

    /// Does the same without a word to a subscriber of `tracing`. See `launch::prepare` for `mask`.
    pub(crate) fn launch(
        command: &Command,
        end: AtProgramEnd,
        mask: Option<u64>,
    ) -> Result<Self, SpawnError> {
        launch::prepare(command, end, mask).and_then(launch::launch).map(Self::of)
    }

    /// Makes the parent's ends of pipes non-blocking, which saves a loop that call. A loop tries again
    /// where it fails.
    #[cfg(feature = "reactor")]
    pub(crate) fn make_pipes_nonblocking(&mut self) {
        for end in self.ends.iter_mut().filter(|end| end.direction != Direction::Both) {
            end.make_nonblocking().ok(); // as above
        }
    }

    /// Makes the child of a launch.
    fn of(launched: Launched) -> Self {
        let Launched { child, branch, ends, terminal, policy, parent_peak_kib } = launched;
        let child = OwnedChild::new(child, branch.map(Box::new), &policy);
        let terminal = terminal.map(Box::new);
        let (taken, reason, reaped) = (Vec::new(), None, None);
        Self { child, ends, taken, terminal, policy, parent_peak_kib, reason, reaped }
    }
}

impl SealedLoopSpawned for Spawned {}
impl LoopSpawned for Spawned {
    fn take_end(
        &mut self,
        fd: ChildFd,
        wanted: Direction,
    ) -> Result<(OwnedFd, Direction), TakeError> {
        let direction = self.ends.iter().find(|end| end.fd == fd).map(|end| end.direction);
        if direction.is_some_and(|has| has != wanted && has != Direction::Both) {
            return Err(TakeError::Direction(fd));
        }
        let end = self.take_parent_end(fd, |_| Ok(()))?;
        Ok((end.end, end.direction))
    }

    fn exit_fd(&self) -> Option<BorrowedFd<'_>> {
        let pidfd = self.child.pidfd.as_ref().filter(|_| self.reason.is_none());
        pidfd.filter(|_| cfg!(target_os = "linux")).map(AsFd::as_fd)
    }

    fn has_ended(&self) -> bool {
        self.reason.is_some() || self.child.peek() != PeekOutcome::Running
    }

    fn has_terminal(&self) -> bool {
        self.terminal.is_some()
    }

    fn pipes_grow(&self) -> bool {
        self.policy.pipes_grow
    }

    fn drain_after_exit(&self) -> Option<Duration> {
        self.policy.drain_after_exit
    }

    fn close_untaken_inputs(&mut self) {
        self.close_inputs();
    }

    fn end_reason(&self) -> Option<&ExitReason> {
        self.reason.as_ref()
    }

    fn is_owned(&self) -> bool {
        self.scope() == TerminationScope::Group
    }

    fn kill(&self) -> Result<(), SignalError> {
        let killed = self.signal(Signal::KILL);
        self.signal_group(Signal::KILL).ok(); // it leads none, or it is empty
        self.child.kill_branch();
        killed
    }

    fn kill_before_drop(&mut self) {
        // A forked copy of this process is not the parent of the child.
        if matches!(self.child.at_drop, DropAction::Kill | DropAction::KillGroup)
            && self.child.launched_by == process::id()
        {
            self.kill().ok(); // it may have ended
            self.child.at_drop = DropAction::LetLive;
        }
    }
}
