//! What a foreign event loop needs of a command and of its child, beyond the blocking verbs.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process;
use std::time::Duration;

use procession_core::Signal;
use procession_core::driver::Direction;
use procession_protocol::driver::TerminationScope;
use procession_protocol::{ChildFd, ExitReason, SignalError};

use super::handle::Spawned;
use super::owned_child::DropAction;
use super::take::TakeError;
use crate::command::{Command, DefaultStdio};
use crate::sealed::Sealed;
use crate::sys::PeekOutcome;

/// Methods of a [`Command`] for the authors of loops.
///
/// This trait is sealed: only this crate implements it.
pub trait LoopCommand: Sealed {
    /// Sets what the child finds on those of 0 to 2 that the command does not name.
    fn set_default_stdio(&mut self, stdio: DefaultStdio);

    /// Returns whether the child will have a terminal.
    fn has_terminal(&self) -> bool;
}

impl Sealed for Command {}
impl LoopCommand for Command {
    fn set_default_stdio(&mut self, stdio: DefaultStdio) {
        self.fds.set_default(stdio);
    }

    fn has_terminal(&self) -> bool {
        self.pty.is_some()
    }
}

/// Methods of a [`Spawned`] for the authors of loops.
///
/// This trait is sealed: only this crate implements it.
pub trait LoopSpawned: Sealed {
    /// Hands out the parent's end of `fd` as it is, with its direction: all directions of it, or
    /// at least `wanted`. It is blocking until its new owner changes that.
    ///
    /// # Errors
    ///
    /// As for [`Spawned::take`]; [`TakeError::Direction`] if the end has only the other direction.
    fn take_end(
        &mut self,
        fd: ChildFd,
        wanted: Direction,
    ) -> Result<(OwnedFd, Direction), TakeError>;

    /// Returns the pidfd, which is readable once the child has ended. `None` after the reap, and on
    /// systems without pidfds.
    ///
    /// A reap closes it: take it out of the poller before any verb that may reap.
    fn exit_fd(&self) -> Option<BorrowedFd<'_>>;

    /// Returns whether the child has ended, without a reap.
    fn has_ended(&self) -> bool;

    /// Returns whether the child has a terminal.
    fn has_terminal(&self) -> bool;

    /// Returns whether the command lets pipes grow.
    fn pipes_grow(&self) -> bool;

    /// Returns how long outputs may stay open after the exit, if the command limits it.
    fn drain_after_exit(&self) -> Option<Duration>;

    /// Closes the inputs that were not taken, and the writing half of sockets. The input of a
    /// terminal stays open.
    fn close_untaken_inputs(&mut self);

    /// Returns how the child ended, once it is reaped.
    fn end_reason(&self) -> Option<&ExitReason>;

    /// Returns whether terminations act on the group that the child leads.
    fn is_owned(&self) -> bool;

    /// Sends KILL to the child, and to the group that it leads.
    ///
    /// # Errors
    ///
    /// Those of [`Spawned::signal`].
    fn kill(&self) -> Result<(), SignalError>;

    /// Does now what the drop does to a living child that is killed on drop, also to the group of
    /// a child that is not owned; from then on the drop leaves it alive.
    fn kill_before_drop(&mut self);
}

impl Sealed for Spawned {}
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
