//! The termination of a child: does through the [`ExitWatch`] what the [`Terminator`] asks for, and
//! settles the waiting calls with its outcomes. The state does the reap, and reports it here.
//!
//! One outcome settles or drops each promise. The timer is set for the terminator's deadline and
//! nothing else. The driver of this type makes the timer, because the timer holds the driver.

use std::mem;
use std::time::Duration;

use procession_core::{NoError, Promise, Signal};
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
    /// `Some` from the first call on, and for a child with a folder. Boxed, because few children are
    /// terminated and all have this type.
    rare: Option<Box<RareParts>>,
}

/// What the calls of `terminate` need.
#[derive(Debug, Default)]
struct RareParts {
    /// The child's folder in its scope.
    branch: Option<Box<Branch>>,
    look: GroupLook,
    /// The promises of the calls that wait.
    promises: Promises,
    /// Why the first signal could not be sent.
    refused: Option<SignalError>,
    /// The timer that is set, with its time.
    timer: Option<(Duration, DelayedCall)>,
    /// Completed when the termination that is under way has ended.
    over: Option<Promise<(), NoError>>,
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
    pub(crate) fn new(scope: TerminationScope, branch: Option<Box<Branch>>) -> Self {
        let with_branch =
            |branch| Box::new(RareParts { branch: Some(branch), ..RareParts::default() });
        Self { terminator: Terminator::new(scope), rare: branch.map(with_branch) }
    }

    /// Takes the child's folder, for another owner of the child.
    pub(crate) fn take_branch(&mut self) -> Option<Box<Branch>> {
        self.rare.as_mut()?.branch.take()
    }

    /// Kills everything in the child's folder, if it has one.
    pub(crate) fn kill_branch(&self) {
        if let Some(branch) = self.branch() {
            branch.kill();
        }
    }

    fn branch(&self) -> Option<&Branch> {
        self.rare.as_ref()?.branch.as_deref()
    }

    fn begun(&mut self) -> &mut RareParts {
        self.rare.get_or_insert_default()
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
            let begun = self.begun();
            begun.timer = None;
            let promises = mem::take(&mut begun.promises);
            (terminator, mem::take(&mut begun.look), SettledCalls::Abandoned(promises))
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
                    let seen = group::seen_with_branch(self.branch(), seen);
                    self.terminator.on_group(seen, reactor.now());
                    continue;
                }
                TerminationStep::Reap => return true,
            };
            let sent = exit.signal_scope(reactor, scope, signal);
            let sent = group::with_branch(self.branch(), exit.number(), signal, sent);
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
    pub(crate) fn alarm(&mut self, reactor: &Handle) -> TimerChange {
        let Some(begun) = &mut self.rare else { return TimerChange::AsItIs };
        let Some(due) = self.terminator.poll_deadline() else {
            return begun
                .timer
                .take()
                .map_or(TimerChange::AsItIs, |(_, timer)| TimerChange::Cancel(timer));
        };
        let after = due.saturating_sub(reactor.now());
        match &mut begun.timer {
            Some((set, _)) if *set == due => TimerChange::AsItIs,
            Some((set, timer)) if timer.try_reset(after).is_ok() => {
                *set = due;
                TimerChange::AsItIs
            }
            _ => TimerChange::Set(after),
        }
    }

    /// Has `over` completed at the end of the termination that is under way; returns the one before it.
    pub(crate) fn on_awaited(
        &mut self,
        over: Promise<(), NoError>,
    ) -> Option<Promise<(), NoError>> {
        self.begun().over.replace(over)
    }

    /// Takes what to complete because no termination is under way any more.
    pub(crate) fn take_over(&mut self) -> Option<Promise<(), NoError>> {
        if self.is_under_way() { None } else { self.rare.as_mut()?.over.take() }
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
