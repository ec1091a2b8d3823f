//! What goes into and comes out of the [`Terminator`]: whom it acts on, what is to be done, what was
//! seen of a group, and what became of the calls.

use procession_core::Signal;
use std::time::Duration;

#[cfg(doc)]
use crate::Terminator;

/// Says what a termination signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TerminationScope {
    /// The child alone.
    Child,
    /// The group that the child leads, which may outlive it.
    Group,
}

/// What the driver is to do next. Exhaustive: a driver acts on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TerminationStep {
    /// Send the first call's signal; if it is refused, say so by [`Terminator::on_refused`].
    Signal(Signal),
    /// Send CONT. A refusal is ignored.
    Continue,
    /// Send KILL. A refusal is ignored: whatever is to be killed is gone then.
    Kill,
    /// Send KILL to what the leader, which has ended, leaves of its group.
    KillMembers,
    /// Look at the group, and tell the answer by [`Terminator::on_group`].
    LookAtGroup,
}

/// What a look at the group of a reaped leader found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupState {
    /// It has members.
    Alive,
    /// It has none, and never has again.
    Empty,
    /// It cannot be looked at.
    Unknown,
}

/// What became of every call so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TerminationOutcome {
    /// The child, or what was left of its group, has ended, or was sent its KILL after the reap.
    Ended {
        /// KILL was asked for.
        escalated: bool,
        /// The time since the first of the calls.
        after: Duration,
    },
    /// The first call's signal was refused: nothing is under way.
    Refused,
    /// Nothing is left that a signal could be sent to.
    TooLate,
    /// The loop is gone, and nobody will see the end.
    Abandoned,
}
