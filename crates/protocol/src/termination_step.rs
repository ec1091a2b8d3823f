//! What goes into and comes out of the [`Terminator`]: whom it acts on, what is to be done, what was
//! seen of a group, and what became of the calls.

use procession_core::Signal;
use std::time::Duration;

#[cfg(doc)]
use crate::terminator::Terminator;

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
    /// Send KILL; of a group to the leader first, while it is not reaped. A refusal is ignored:
    /// whatever is to be killed is gone then, or cannot be killed.
    Kill,
    /// Look at the group, and tell the answer by [`Terminator::on_group`].
    LookAtGroup,
    /// Reap the leader, which has ended, and say so by [`Terminator::on_reaped`].
    Reap,
}

/// What a look at a group found whose leader has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupState {
    /// A member of it lives.
    Alive,
    /// None does: it has no members but zombies, and never has again.
    Empty,
    /// It cannot be looked at.
    Unknown,
}

/// What became of every call so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TerminationOutcome {
    /// The child has ended; or its group is empty, or was given up after its KILL.
    Ended {
        /// KILL was asked for: the group was not known to be empty then.
        escalated: bool,
        /// Nobody of it lives any more, the child included.
        is_gone: bool,
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
