//! What a foreign event loop needs of a command and of its child, beyond the blocking verbs.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use procession_core::driver::Direction;
use procession_protocol::{ChildFd, ExitReason, SignalError};

use super::take::TakeError;
use crate::sealed::{SealedLoopCommand, SealedLoopSpawned};

/// Methods of a [`Command`](crate::Command) for the authors of loops.
///
/// This trait is sealed: only this crate implements it.
pub trait LoopCommand: SealedLoopCommand {
    /// Lets the child inherit those of 0 to 2 that the command does not name.
    fn inherit_by_default(&mut self);

    /// Makes those of 0 to 2 that the command does not name pipes again.
    fn pipe_by_default(&mut self);

    /// Returns whether the child will have a terminal.
    fn has_terminal(&self) -> bool;
}

/// Methods of a [`Spawned`](crate::Spawned) for the authors of loops.
///
/// This trait is sealed: only this crate implements it.
pub trait LoopSpawned: SealedLoopSpawned {
    /// Hands out the parent's end of `fd` as it is, with its direction: all directions of it, or
    /// at least `wanted`. It is blocking until its new owner changes that.
    ///
    /// # Errors
    ///
    /// As for [`Spawned::take`](crate::Spawned::take); [`TakeError::Direction`] if the end has only the other direction.
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
    /// Those of [`Spawned::signal`](crate::Spawned::signal).
    fn kill(&self) -> Result<(), SignalError>;

    /// Does now what the drop does to a living child that is killed on drop, also to the group of
    /// a child that is not owned; from then on the drop leaves it alive.
    fn kill_before_drop(&mut self);
}
