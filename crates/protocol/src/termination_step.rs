//! The inputs and outputs of the [`Terminator`]: its scope, the steps to do, the state of a group, and
//! the outcome of the calls.

use std::time::Duration;

use procession_core::Signal;

#[cfg(doc)]
use crate::terminator::Terminator;

/// The processes that a termination signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TerminationScope {
    /// Only the child.
    Child,
    /// The group that the child leads, which may outlive it.
    Group,
}

/// A step that the driver must do next. Exhaustive, because a driver must act on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TerminationStep {
    /// Send the first call's signal; if it is refused, call [`Terminator::on_refused`].
    Signal(Signal),
    /// Send CONT. A refusal is ignored.
    Continue,
    /// Send KILL; for a group, first to the leader if it is not reaped. Ignore a refusal: then the
    /// processes are gone, or cannot be killed.
    Kill,
    /// Check which members of the group are alive, and pass the answer to [`Terminator::on_group`].
    LookAtGroup,
    /// Reap the leader, which has ended, and call [`Terminator::on_reaped`].
    Reap,
}

/// The state of a group whose leader has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupState {
    /// A member is alive.
    Alive,
    /// No member is alive: the group has only zombies, and never gets a living member again.
    Empty,
    /// The system does not show the members.
    Unknown,
}

/// The outcome of every call so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TerminationOutcome {
    /// The child has ended; or its group is empty, or the wait for it after KILL has timed out.
    Ended {
        /// KILL was due, because the group was not known to be empty.
        escalated: bool,
        /// The child, and every member of its group, is gone.
        is_gone: bool,
        /// The time since the first of the calls.
        after: Duration,
    },
    /// The first call's signal was refused, so no termination is under way.
    Refused,
    /// No process is left to which a signal could be sent.
    TooLate,
    /// The loop is gone, so the end will not be seen.
    Abandoned,
}
