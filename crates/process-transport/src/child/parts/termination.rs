//! The termination of a child: does through the [`ExitWatch`] what the [`Terminator`] asks for, and
//! settles the waiting calls with its outcomes. The state does the reap, and reports it here.
//!
//! One outcome settles or drops each promise. The timer is set for the terminator's deadline and
//! nothing else. The driver of this type makes the timer, because the timer holds the driver.

use std::mem;
use std::time::Duration;

use procession_core::{Promise, Signal};
use procession_protocol::driver::{
    TerminationOutcome, TerminationScope, TerminationStep, Terminator,
};
use procession_protocol::{ExitReason, ProcessTerminated, SignalError, Termination, UnknownEnd};
use procession_reactor::{DelayedCall, Handle};

use super::exit_watch::ExitWatch;
use crate::group::{self, GroupLook};
use crate::scope::Branch;

type Promises = Vec<Promise<Termination, SignalError>>;

/// The termination of one child, and of what is left in its group after the reap.
#[derive(Debug)]
pub(crate) struct ChildTermination {
    terminator: Terminator,
    /// `Some` from the first call on; boxed, because few children are terminated and all have this
    /// type.
    begun: Option<Box<TerminationCalls>>,
    /// The child's folder in its scope; boxed for the same reason.
    branch: Option<Box<Branch>>,
}

/// What the calls of `terminate` need.
#[derive(Debug, Default)]
struct TerminationCalls {
    look: GroupLook,
    /// The promises of the calls that wait.
    promises: Promises,
    /// Why the first signal could not be sent.
    refused: Option<SignalError>,
    /// The timer that is set, with its time.
    timer: Option<(Duration, DelayedCall)>,
}

/// What to do about the timer, while nothing is borrowed.
#[must_use = "a termination without its timer does not come to its end"]
pub(crate) enum TimerChange {
    AsItIs,
    /// Make a timer that is due after this time.
    Set(Duration),
    Cancel(DelayedCall),
}

/// Calls that no longer wait, to be completed while nothing is borrowed.
#[must_use = "complete it where nothing is borrowed"]
pub(crate) enum SettledCalls {
    Ended(Promises, Termination),
    /// Only the last call was refused.
    Refused(Promises, SignalError),
    /// The drop of the promises notifies the callers.
    Abandoned(Promises),
}

impl ChildTermination {
    pub(crate) fn new(scope: TerminationScope, branch: Option<Branch>) -> Self {
        Self { terminator: Terminator::new(scope), begun: None, branch: branch.map(Box::new) }
    }

    /// Takes the child's folder, for another owner of the child.
    pub(crate) fn take_branch(&mut self) -> Option<Branch> {
        self.branch.take().map(|branch| *branch)
    }

    /// Kills everything in the child's folder, if it has one.
    pub(crate) fn kill_branch(&self) {
        if let Some(branch) = &self.branch {
            branch.kill();
        }
    }

    fn begun(&mut self) -> &mut TerminationCalls {
        self.begun.get_or_insert_default()
    }

    pub(crate) fn on_terminate(
        &mut self,
        promise: Promise<Termination, SignalError>,
        signal: Signal,
        grace: Duration,
        now: Duration,
    ) {
        self.begun().promises.push(promise);
        self.terminator.on_terminate(signal, grace, now);
    }

    /// Returns whether a child that has ended must not be reaped now.
    pub(crate) fn keeps_leader(&self) -> bool {
        self.terminator.keeps_leader()
    }

    /// Records that the child has ended, and is kept.
    pub(crate) fn on_ended(&mut self) {
        self.terminator.on_ended();
    }

    pub(crate) fn on_reaped(&mut self, now: Duration) {
        self.terminator.on_reaped(now);
    }

    /// Handles the timer.
    pub(crate) fn on_time(&mut self, now: Duration) {
        self.begun().timer = None;
        self.terminator.on_time(now);
    }

    /// Records that the loop is gone or going away, so no timer fires any more. Returns a
    /// termination that is under way, for code that can wait for it, and the calls that will get no
    /// result.
    pub(crate) fn on_gone(&mut self) -> Option<(Terminator, GroupLook, SettledCalls)> {
        let under_way = self.is_under_way().then(|| {
            let rest = Terminator::new(self.scope());
            let terminator = mem::replace(&mut self.terminator, rest);
            let TerminationCalls { look, promises, .. } = mem::take(self.begun());
            (terminator, look, SettledCalls::Abandoned(promises))
        });
        self.terminator.on_gone();
        under_way
    }

    pub(crate) fn scope(&self) -> TerminationScope {
        self.terminator.scope()
    }

    /// Takes the calls that are settled by now; `reason` is the child's.
    pub(crate) fn settle(&mut self, reason: Option<&ExitReason>) -> Option<SettledCalls> {
        let outcome = self.terminator.poll_outcome()?;
        let begun = self.begun();
        let promises = mem::take(&mut begun.promises);
        begun.look = GroupLook::default();
        Some(match outcome {
            TerminationOutcome::Ended { escalated, is_gone, after } => {
                let reason = reason
                    .cloned()
                    .unwrap_or_else(|| Err(ProcessTerminated::unknown(UnknownEnd::NotReaped)));
                let ended = Termination::new(reason, escalated, after);
                let ended = if is_gone { ended } else { ended.with_survivors() };
                SettledCalls::Ended(promises, ended)
            }
            TerminationOutcome::Refused | TerminationOutcome::TooLate => {
                let error = begun.refused.take().unwrap_or(SignalError::ProcessExitedAlready);
                SettledCalls::Refused(promises, error)
            }
            _ => SettledCalls::Abandoned(promises),
        })
    }

    /// Does what is due; returns true if the child must be reaped next, and this called again.
    #[must_use = "the child is to be reaped"]
    pub(crate) fn act(&mut self, exit: &ExitWatch, reactor: &Handle) -> bool {
        let scope = self.scope();
        while let Some(step) = self.terminator.poll_step() {
            let signal = match step {
                TerminationStep::Signal(signal) => {
                    if let Some(group) = exit.group().filter(|_| scope == TerminationScope::Group) {
                        self.begun().look.expect(group);
                    }
                    signal
                }
                TerminationStep::Continue => Signal::CONT,
                TerminationStep::Kill => {
                    exit.kill_scope(reactor, scope);
                    self.kill_branch();
                    continue;
                }
                TerminationStep::LookAtGroup => {
                    let seen = exit.look_at_group(&mut self.begun().look);
                    let seen = group::seen_with_branch(self.branch.as_deref(), seen);
                    self.terminator.on_group(seen, reactor.now());
                    continue;
                }
                TerminationStep::Reap => return true,
            };
            let sent = exit.signal_scope(reactor, scope, signal);
            let branch = self.branch.as_deref();
            let sent = group::with_branch(branch, exit.number(), signal, sent);
            if let (TerminationStep::Signal(_), Err(error)) = (step, sent) {
                self.terminator.on_refused();
                self.begun().refused = Some(error);
            } // a target that is gone needs no CONT
        }
        false
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.terminator.is_under_way()
    }

    /// Returns what to do about the timer.
    pub(crate) fn alarm(&mut self, now: Duration) -> TimerChange {
        let Some(begun) = &mut self.begun else { return TimerChange::AsItIs };
        let Some(due) = self.terminator.poll_deadline() else {
            return begun
                .timer
                .take()
                .map_or(TimerChange::AsItIs, |(_, timer)| TimerChange::Cancel(timer));
        };
        let after = due.saturating_sub(now);
        match &mut begun.timer {
            Some((set, _)) if *set == due => TimerChange::AsItIs,
            Some((set, timer)) if timer.try_reset(after).is_ok() => {
                *set = due;
                TimerChange::AsItIs
            }
            _ => TimerChange::Set(after),
        }
    }

    /// Takes the timer that [`TimerChange::Set`] asked for.
    pub(crate) fn on_alarm_set(&mut self, timer: DelayedCall) {
        if let Some(due) = self.terminator.poll_deadline() {
            self.begun().timer = Some((due, timer));
        }
    }
}

impl SettledCalls {
    /// Returns whether callers other than the last may wait for it.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self, Self::Ended(..))
    }

    /// Returns whether everything that the termination acted on is gone.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Ended(_, termination) if termination.is_gone())
    }

    pub(crate) fn complete(self) {
        match self {
            Self::Ended(promises, termination) => {
                for promise in promises {
                    promise.complete(Ok(termination.clone()));
                }
            }
            Self::Refused(mut promises, error) => {
                if let Some(promise) = promises.pop() {
                    promise.complete(Err(error));
                }
            }
            Self::Abandoned(promises) => drop(promises),
        }
    }
}
