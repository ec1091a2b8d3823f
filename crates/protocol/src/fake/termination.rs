//! The termination of a fake child: it records the steps of the [`Terminator`], and completes the calls
//! with its outcomes. The test sets the number of living members of the group.

use std::time::Duration;

use procession_core::{Promise, Signal};

use crate::lifecycle::Lifecycle;
use crate::termination_step::{GroupState, TerminationOutcome, TerminationScope, TerminationStep};
use crate::terminator::Terminator;
use crate::{ExitReason, ProcessTerminated, SignalError, Termination, UnknownEnd};

type Promises = Vec<Promise<Termination, SignalError>>;

/// The termination of a fake child.
#[derive(Debug)]
pub(super) struct FakeTermination {
    terminator: Terminator,
    /// The promises of the waiting calls.
    promises: Promises,
    /// The number of living members of the group, without the child.
    members: usize,
    /// How the child ended, while it is kept as a zombie.
    ended: Option<ExitReason>,
}

/// The signals that were sent.
#[derive(Debug, Default)]
pub(super) struct SentSignals {
    pub(super) to_child: Vec<Signal>,
    pub(super) to_group: Vec<Signal>,
}

/// Calls that have their result. Complete them while nothing is borrowed.
#[must_use = "complete it while nothing is borrowed"]
pub(super) enum SettledCalls {
    Ended(Promises, Termination),
    /// No signal was sent.
    TooLate(Promises),
    /// Dropping the promises fails the calls with `Abandoned`.
    Abandoned(Promises),
}

impl FakeTermination {
    pub(super) fn new() -> Self {
        let terminator = Terminator::new(TerminationScope::Child);
        Self { terminator, promises: Vec::new(), members: 0, ended: None }
    }

    /// Sets the number of living members, and makes the group the scope of a termination.
    pub(super) fn set_members(&mut self, members: usize, is_reaped: bool, now: Duration) {
        self.members = members;
        let is_child = self.terminator.scope() == TerminationScope::Child;
        if is_child && !self.terminator.is_under_way() {
            self.terminator = Terminator::new(TerminationScope::Group);
            if is_reaped {
                self.terminator.on_reaped(now);
            }
        }
    }

    pub(super) fn members(&self) -> usize {
        self.members
    }

    /// Notes that the child has ended. Keeps it as a zombie if its termination requires that, else
    /// returns the reason.
    pub(super) fn on_ended(&mut self, reason: ExitReason) -> Option<ExitReason> {
        if self.ended.is_some() {
            return None; // it ends once
        }
        if !self.terminator.keeps_leader() {
            return Some(reason);
        }
        self.ended = Some(reason);
        self.terminator.on_ended();
        None
    }

    pub(super) fn on_terminate(
        &mut self,
        promise: Promise<Termination, SignalError>,
        signal: Signal,
        grace: Duration,
        now: Duration,
    ) {
        self.promises.push(promise);
        self.terminator.on_terminate(signal, grace, now);
    }

    pub(super) fn on_reaped(&mut self, now: Duration) {
        self.terminator.on_reaped(now);
    }

    pub(super) fn on_time(&mut self, now: Duration) {
        self.terminator.on_time(now);
    }

    /// Notes that the fake child is dropped.
    pub(super) fn on_gone(&mut self) {
        self.terminator.on_gone();
    }

    /// Does the steps that are due, and takes the calls that are settled.
    pub(super) fn act(
        &mut self,
        sent: &mut SentSignals,
        lifecycle: &mut Lifecycle,
        now: Duration,
    ) -> Option<SettledCalls> {
        let is_group = self.terminator.scope() == TerminationScope::Group;
        while let Some(step) = self.terminator.poll_step() {
            let to_scope = if is_group { &mut sent.to_group } else { &mut sent.to_child };
            match step {
                TerminationStep::Signal(_) if lifecycle.is_reaped() && self.members == 0 => {
                    self.terminator.on_refused();
                }
                TerminationStep::Signal(signal) => to_scope.push(signal),
                TerminationStep::Continue => to_scope.push(Signal::CONT),
                TerminationStep::Kill => {
                    to_scope.push(Signal::KILL);
                    if is_group && !lifecycle.is_reaped() {
                        sent.to_child.push(Signal::KILL);
                    }
                }
                TerminationStep::LookAtGroup => {
                    let is_empty = self.members == 0;
                    let seen = if is_empty { GroupState::Empty } else { GroupState::Alive };
                    self.terminator.on_group(seen, now);
                }
                TerminationStep::Reap => {
                    if let Some(reason) = self.ended.take() {
                        lifecycle.on_reaped(reason, now);
                    }
                    self.terminator.on_reaped(now);
                }
            }
        }
        let outcome = self.terminator.poll_outcome()?;
        let promises = std::mem::take(&mut self.promises);
        Some(match outcome {
            TerminationOutcome::Ended { escalated, is_gone, after } => {
                if is_group {
                    lifecycle.on_terminated();
                }
                let lost = || Err(ProcessTerminated::unknown(UnknownEnd::NotReaped));
                let reason = lifecycle.reason().cloned().unwrap_or_else(lost);
                let ended = Termination::new(reason, escalated, after);
                let ended = if is_gone { ended } else { ended.with_survivors() };
                SettledCalls::Ended(promises, ended)
            }
            TerminationOutcome::TooLate | TerminationOutcome::Refused => {
                SettledCalls::TooLate(promises)
            }
            TerminationOutcome::Abandoned => SettledCalls::Abandoned(promises),
        })
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.terminator.poll_deadline()
    }
}

impl SettledCalls {
    pub(super) fn complete(self) {
        match self {
            Self::Ended(promises, termination) => {
                for promise in promises {
                    promise.complete(Ok(termination.clone()));
                }
            }
            Self::TooLate(promises) => {
                for promise in promises {
                    promise.complete(Err(SignalError::ProcessExitedAlready));
                }
            }
            Self::Abandoned(promises) => drop(promises),
        }
    }
}
