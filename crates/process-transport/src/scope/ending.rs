//! The termination of a scope: does what the [`Terminator`] asks for, as if the members were a group
//! whose leader is reaped. Its caller waits.

use std::fmt;
use std::time::Duration;

use procession_core::Signal;
use procession_protocol::driver::{
    GroupState, TerminationOutcome, TerminationScope, TerminationStep, Terminator,
};

use super::error::ScopeError;
use super::handle::Scope;

/// The result of [`Scope::terminate`].
///
/// It has no reason, as that of a child has: each member has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeTermination {
    escalated: bool,
    is_gone: bool,
    after: Duration,
}

impl ScopeTermination {
    /// Returns whether KILL was sent, because a member outlived the grace.
    pub fn escalated(&self) -> bool {
        self.escalated
    }

    /// Returns whether the scope was empty at the end.
    ///
    /// It is `false` if a process was still alive a second after KILL.
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Returns the time from the call to the end.
    pub fn after(&self) -> Duration {
        self.after
    }
}

impl fmt::Display for ScopeTermination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match (self.is_gone, self.escalated) {
            (true, false) => "empty",
            (true, true) => "killed",
            (false, _) => "not empty",
        };
        write!(f, "{how} after {:.1} s", self.after.as_secs_f64())
    }
}

/// One termination, until it has ended. Times count from its beginning.
#[derive(Debug)]
pub(super) struct ScopeEnding {
    scope: Scope,
    signal: Signal,
    terminator: Terminator,
    /// There is no grace.
    is_at_once: bool,
    is_killed: bool,
}

/// What a termination needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndingStep {
    Done(ScopeTermination),
    /// A look after this time at the latest, or when the scope is empty.
    Wait(Duration),
}

impl ScopeEnding {
    pub(super) fn new(scope: Scope, signal: Signal, grace: Duration) -> Self {
        let grace = if signal == Signal::KILL { Duration::ZERO } else { grace };
        let mut terminator = Terminator::new(TerminationScope::Group);
        terminator.on_reaped(Duration::ZERO);
        terminator.on_terminate(signal, grace, Duration::ZERO);
        Self { scope, signal, terminator, is_at_once: grace.is_zero(), is_killed: false }
    }

    /// Does what is due.
    pub(super) fn step(&mut self, now: Duration) -> Result<EndingStep, ScopeError> {
        self.terminator.on_time(now);
        while let Some(step) = self.terminator.poll_step() {
            match step {
                // An empty scope is not killed, so nothing is escalated.
                TerminationStep::Signal(_) if !self.scope.is_populated()? => {
                    return Ok(self.done(false, true, now));
                }
                TerminationStep::Signal(signal) if !self.is_at_once => self.scope.signal(signal)?,
                TerminationStep::Continue if !self.is_at_once => self.scope.signal(Signal::CONT)?,
                TerminationStep::Signal(_) | TerminationStep::Continue => {} // KILL comes next
                TerminationStep::Kill => {
                    self.is_killed = true;
                    self.scope.kill()?;
                }
                TerminationStep::LookAtGroup => self.look(now)?,
                TerminationStep::Reap => {} // not asked for after the reap
            }
        }
        match self.terminator.poll_outcome() {
            Some(TerminationOutcome::Ended { escalated, is_gone, after }) => {
                Ok(self.done(escalated, is_gone, after))
            }
            _ => {
                let due = self.terminator.poll_deadline().unwrap_or(now);
                Ok(EndingStep::Wait(due.saturating_sub(now)))
            }
        }
    }

    fn look(&mut self, now: Duration) -> Result<(), ScopeError> {
        let is_populated = self.scope.is_populated()?;
        if is_populated && self.is_killed {
            self.scope.kill()?; // again: a child may have been launched into it since
        }
        let state = if is_populated { GroupState::Alive } else { GroupState::Empty };
        self.terminator.on_group(state, now);
        Ok(())
    }

    fn done(&self, escalated: bool, is_gone: bool, after: Duration) -> EndingStep {
        let escalated = escalated && self.signal != Signal::KILL;
        EndingStep::Done(ScopeTermination { escalated, is_gone, after })
    }
}
