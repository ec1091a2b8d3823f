//! How a fake child is terminated: what the [`Terminator`] asks for is recorded, and its outcomes
//! settle the calls. Nothing is refused, and the fake child's group is never looked at.

use crate::{
    ExitReason, SignalError, Termination, TerminationOutcome, TerminationScope, TerminationStep,
    Terminator,
};
use procession_core::{Promise, Signal};
use std::time::Duration;

type Promises = Vec<Promise<Termination, SignalError>>;

/// The termination of a fake child.
#[derive(Debug)]
pub(super) struct FakeTermination {
    terminator: Terminator,
    /// Of the calls that wait.
    promises: Promises,
}

/// Calls that wait no more, to be told so where nothing is borrowed.
#[must_use = "complete it where nothing is borrowed"]
pub(super) enum SettledCalls {
    Ended(Promises, Termination),
    TooLate(Promises),
    /// Dropping the promises tells whoever waits.
    Abandoned(Promises),
}

impl FakeTermination {
    pub(super) fn new() -> Self {
        Self { terminator: Terminator::new(TerminationScope::Child), promises: Vec::new() }
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

    /// The fake child is dropped.
    pub(super) fn on_gone(&mut self) {
        self.terminator.on_gone();
    }

    /// Records what is due, and takes the calls that are settled by now; `reason` is the child's.
    pub(super) fn act(
        &mut self,
        signals: &mut Vec<Signal>,
        reason: Option<&ExitReason>,
    ) -> Option<SettledCalls> {
        while let Some(step) = self.terminator.poll_step() {
            match step {
                TerminationStep::Signal(signal) => signals.push(signal),
                TerminationStep::Continue => signals.push(Signal::CONT),
                TerminationStep::Kill => signals.push(Signal::KILL),
                // Neither is asked of a child that is terminated alone.
                TerminationStep::LookAtGroup | TerminationStep::Reap => {}
            }
        }
        let outcome = self.terminator.poll_outcome()?;
        let promises = std::mem::take(&mut self.promises);
        Some(match (outcome, reason) {
            (TerminationOutcome::Ended { escalated, after, .. }, Some(reason)) => {
                let termination = Termination::new(reason.clone(), escalated, after);
                SettledCalls::Ended(promises, termination)
            }
            (TerminationOutcome::TooLate, _) => SettledCalls::TooLate(promises),
            _ => SettledCalls::Abandoned(promises),
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
