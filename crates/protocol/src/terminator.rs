//! Pure core: calls of `terminate` and facts about the child in, signals to send out.
//!
//! # Model
//!
//! A termination begins with a call. It sends the call's signal and CONT (a stopped child would neither
//! die by the signal nor handle it). Its deadline is the time of the call plus its grace. Calls that
//! come while it is under way join it. KILL is due at the deadline, or at once when a call joins, when
//! the grace is zero, or when the loop is gone; a termination sends it once.
//!
//! With [`TerminationScope::Child`], the reap ends the termination. A second after KILL it ends without
//! the reap, and the outcome is that the child is not gone.
//!
//! With [`TerminationScope::Group`], it ends when the group is empty. The end of the leader does not
//! end it, and the leader is not reaped then: as a zombie it prevents the group's number from being
//! reused. After the leader's end the driver checks the group: at once, then after 1, 2, 5, 10, 20 ms
//! and every 50 ms; after KILL the intervals start again. When the group is empty, the leader is reaped,
//! which settles the calls. A second after KILL the same happens even if the group is not empty, and the
//! outcome is that it is not gone. If the system does not show the members, the leader is reaped after
//! KILL, and the next check decides. A call after the reap begins a termination of the remaining group.
//!
//! Inputs: calls, a refused signal, the leader's end, its reap, checks of the group, time, the end of
//! the loop. They may come in any order. A fact that is late (a refusal of a signal that was not sent, a
//! check when no termination is under way) or repeated (a second reap) is ignored.
//!
//! Outputs: [`TerminationStep`]s, which the driver does in order, and [`TerminationOutcome`]s. The driver
//! polls both after every input, the steps first. An outcome settles every call so far, so each call has
//! exactly one outcome. The driver keeps the promises, and the timer for
//! [`poll_deadline`](Terminator::poll_deadline). It reaps a leader that has ended if
//! [`keeps_leader`](Terminator::keeps_leader) returns `false`.

use std::time::Duration;

use procession_core::Signal;

use self::calls::{GroupCheck, OngoingTermination, ReapPurpose, TerminateCalls};
use crate::termination_step::{GroupState, TerminationOutcome, TerminationScope, TerminationStep};

mod calls;

/// Decides which signals a termination sends, and when. Real children and fakes both use it.
///
/// The module's page has the model.
///
/// # Examples
///
/// ```
/// use procession::Signal;
/// use procession::driver::protocol::{
///     TerminationOutcome, TerminationScope, TerminationStep, Terminator,
/// };
/// use std::time::Duration;
///
/// let second = Duration::from_secs(1);
/// let mut terminator = Terminator::new(TerminationScope::Child);
/// terminator.on_terminate(Signal::TERM, second, Duration::ZERO);
/// assert_eq!(terminator.poll_step(), Some(TerminationStep::Signal(Signal::TERM)));
/// assert_eq!(terminator.poll_step(), Some(TerminationStep::Continue));
/// assert_eq!(terminator.poll_step(), None);
/// assert_eq!(terminator.poll_deadline(), Some(second));
/// terminator.on_time(second);
/// assert_eq!(terminator.poll_step(), Some(TerminationStep::Kill));
/// terminator.on_reaped(second);
/// let ended = TerminationOutcome::Ended { escalated: true, is_gone: true, after: second };
/// assert_eq!(terminator.poll_outcome(), Some(ended));
/// ```
#[derive(Debug)]
pub struct Terminator {
    scope: TerminationScope,
    progress: ChildProgress,
    /// The loop is gone, so a KILL cannot wait.
    gone: bool,
    /// `Some` from the first call on. Boxed, because every child has a terminator and few are
    /// terminated.
    calls: Option<Box<TerminateCalls>>,
}

/// The progress of the child towards its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChildProgress {
    Running,
    /// The child has ended, and is not reaped.
    Ended,
    /// The child is reaped; members of its group may be alive.
    Reaped,
    /// The child is reaped, and its group has no members.
    Empty,
}

impl Terminator {
    /// Creates a terminator for a running child, without a termination.
    pub fn new(scope: TerminationScope) -> Self {
        Self { scope, progress: ChildProgress::Running, gone: false, calls: None }
    }

    /// Notes that the program called `terminate` at `now`.
    ///
    /// While a termination is under way the call joins it: KILL is sent instead of the call's signal.
    pub fn on_terminate(&mut self, signal: Signal, grace: Duration, now: Duration) {
        let has_processes = self.has_processes();
        let is_checked =
            self.scope == TerminationScope::Group && self.progress != ChildProgress::Running;
        let calls = self.calls.get_or_insert_default();
        if !has_processes {
            calls.outcome = Some(TerminationOutcome::TooLate);
            return;
        }
        if calls.under_way.is_some() {
            return calls.kill(now);
        }
        calls.under_way = Some(OngoingTermination {
            since: now,
            deadline: now.saturating_add(grace),
            killed: None,
            trying: false,
            check: is_checked.then(|| GroupCheck::begin(now)),
            reap: None,
        });
        calls.due.extend([TerminationStep::Signal(signal), TerminationStep::Continue]);
        if grace.is_zero() || self.gone {
            calls.kill(now);
        }
    }

    /// Notes that the signal of the last step was refused. Ignored after any other step.
    pub fn on_refused(&mut self) {
        let Some(calls) = &mut self.calls else { return };
        if calls.under_way.take_if(|under_way| under_way.trying).is_some() {
            calls.due.clear();
            calls.outcome = Some(TerminationOutcome::Refused);
        }
    }

    /// Notes that the child has ended, and is not reaped.
    pub fn on_ended(&mut self) {
        if self.progress == ChildProgress::Running {
            self.progress = ChildProgress::Ended;
            self.begin_checks();
        }
    }

    /// Notes that the child was reaped at `now`, whether or not the terminator asked for it.
    pub fn on_reaped(&mut self, now: Duration) {
        if matches!(self.progress, ChildProgress::Reaped | ChildProgress::Empty) {
            return;
        }
        self.progress = ChildProgress::Reaped;
        if self.scope != TerminationScope::Group {
            return self.end(true, now);
        }
        let Some(under_way) = self.under_way_mut() else { return };
        match under_way.reap.take() {
            Some(ReapPurpose::End { is_gone }) => {
                if is_gone {
                    self.progress = ChildProgress::Empty;
                }
                self.end(is_gone, now);
            }
            // In the second case somebody else reaped the child, and its group may be alive.
            Some(ReapPurpose::CheckAgain) | None => self.begin_checks(),
        }
    }

    /// Notes the state of the group at `now`, the answer to [`TerminationStep::LookAtGroup`]. Ignored if
    /// the scope is the child, before the leader's end, and if no termination is under way. `Alive` is
    /// also ignored if no check was due.
    pub fn on_group(&mut self, state: GroupState, now: Duration) {
        if self.scope != TerminationScope::Group {
            return;
        }
        let is_reaped = match self.progress {
            ChildProgress::Running | ChildProgress::Empty => return,
            ChildProgress::Ended => false,
            ChildProgress::Reaped => true,
        };
        if state == GroupState::Empty && is_reaped {
            self.progress = ChildProgress::Empty;
            return self.end(true, now);
        }
        let Some(calls) = &mut self.calls else { return };
        let Some(under_way) = &mut calls.under_way else { return };
        let is_over = under_way.limit().is_some_and(|limit| now >= limit);
        let reap = match state {
            GroupState::Empty => ReapPurpose::End { is_gone: true },
            // Once the leader is reaped, the group's number shows nothing any more.
            GroupState::Unknown if is_reaped => return self.end(false, now),
            GroupState::Unknown if under_way.killed.is_some() => ReapPurpose::CheckAgain,
            _ if is_over && is_reaped => return self.end(false, now),
            _ if is_over => ReapPurpose::End { is_gone: false },
            _ if under_way.killed.is_none() && now >= under_way.deadline => return calls.kill(now),
            _ => return under_way.check_again(now),
        };
        if under_way.reap.is_none() {
            calls.due.retain(|step| *step != TerminationStep::LookAtGroup);
            calls.due.push_back(TerminationStep::Reap);
        }
        under_way.reap = Some(reap);
    }

    /// Notes that the time is `now`, on the clock of the other facts.
    pub fn on_time(&mut self, now: Duration) {
        let Some(calls) = &mut self.calls else { return };
        let Some(under_way) = &mut calls.under_way else { return };
        let is_over = under_way.limit().is_some_and(|limit| now >= limit);
        let is_late = under_way.killed.is_none() && now >= under_way.deadline;
        match &mut under_way.check {
            // The group may be empty by now, so check it before KILL, or before the end.
            Some(check) => {
                let is_due = is_over || is_late || check.at.is_some_and(|at| now >= at);
                if is_due && check.at.take().is_some() {
                    calls.due.push_back(TerminationStep::LookAtGroup);
                }
            }
            None if is_late => calls.kill(now),
            // The reap, which would end the termination, has not come.
            None if is_over => self.end(false, now),
            None => {}
        }
    }

    /// Notes that the loop is gone: no time and no reap will be reported any more.
    ///
    /// A group whose leader has ended gets KILL now. A running child gets none; other code reaps it. A
    /// later call sends KILL at once.
    pub fn on_gone(&mut self) {
        self.gone = true;
        let Some(calls) = &mut self.calls else { return };
        let Some(under_way) = calls.under_way.take() else { return };
        calls.due.retain(|step| *step == TerminationStep::Kill);
        if under_way.check.is_some() && under_way.killed.is_none() {
            calls.due.push_back(TerminationStep::Kill);
        }
        calls.outcome = Some(TerminationOutcome::Abandoned);
    }

    /// Takes the next step.
    pub fn poll_step(&mut self) -> Option<TerminationStep> {
        let calls = self.calls.as_mut()?;
        let step = calls.due.pop_front()?;
        if let Some(under_way) = &mut calls.under_way {
            under_way.trying = matches!(step, TerminationStep::Signal(_));
            // Without a loop the end of the group will not be seen.
            if step == TerminationStep::Kill
                && self.gone
                && self.progress == ChildProgress::Reaped
                && let Some(killed) = under_way.killed
            {
                self.end(false, killed);
            }
        }
        Some(step)
    }

    /// Takes the outcome of the calls so far.
    pub fn poll_outcome(&mut self) -> Option<TerminationOutcome> {
        self.calls.as_mut()?.outcome.take()
    }

    /// Returns the time at which to call [`on_time`](Self::on_time), if there is one.
    pub fn poll_deadline(&self) -> Option<Duration> {
        let under_way = self.under_way()?;
        if under_way.reap.is_some() {
            return None;
        }
        let due = under_way.limit().unwrap_or(under_way.deadline);
        let check = under_way.check.and_then(|check| check.at);
        Some(check.map_or(due, |check| check.min(due)))
    }

    /// Returns whether a termination has begun and not ended.
    pub fn is_under_way(&self) -> bool {
        self.under_way().is_some()
    }

    /// Returns whether a leader that ends must not be reaped now. Then report its end by
    /// [`on_ended`](Self::on_ended); the terminator asks for the reap later.
    pub fn keeps_leader(&self) -> bool {
        self.scope == TerminationScope::Group
            && self.under_way().is_some_and(|under_way| under_way.reap.is_none())
    }

    /// Returns the scope of a termination.
    pub fn scope(&self) -> TerminationScope {
        self.scope
    }

    fn under_way(&self) -> Option<&OngoingTermination> {
        self.calls.as_ref()?.under_way.as_ref()
    }

    fn under_way_mut(&mut self) -> Option<&mut OngoingTermination> {
        self.calls.as_mut()?.under_way.as_mut()
    }

    /// Returns whether there may be a process to signal.
    fn has_processes(&self) -> bool {
        match self.progress {
            ChildProgress::Running | ChildProgress::Ended => true,
            ChildProgress::Reaped => self.scope == TerminationScope::Group,
            ChildProgress::Empty => false,
        }
    }

    /// Asks for a check of the group at once, and for others after it.
    fn begin_checks(&mut self) {
        if let Some(calls) = &mut self.calls
            && let Some(under_way) = &mut calls.under_way
            && self.scope == TerminationScope::Group
        {
            under_way.check = Some(GroupCheck { at: None, found_alive: 0 });
            under_way.trying = false;
            calls.due.push_back(TerminationStep::LookAtGroup);
        }
    }

    /// Ends the termination, if one is under way. A KILL that the driver has not taken yet stays due, if
    /// a process may be left.
    fn end(&mut self, is_gone: bool, now: Duration) {
        let has_processes = self.has_processes();
        let Some(calls) = &mut self.calls else { return };
        calls.due.retain(|step| has_processes && *step == TerminationStep::Kill);
        if let Some(under_way) = calls.under_way.take() {
            calls.outcome = Some(TerminationOutcome::Ended {
                escalated: under_way.killed.is_some(),
                is_gone,
                after: now.saturating_sub(under_way.since),
            });
        }
    }
}
