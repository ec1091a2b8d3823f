//! Pure core: calls of `terminate` and facts about the child in, signals to send out.
//!
//! # Model
//!
//! A termination begins with a call, asks for the call's signal and for CONT (a stopped child would
//! neither die of the signal nor handle it), and has a deadline: the time of the call plus its grace.
//! Calls that come while it is under way join it. KILL is due at the deadline, or at once when a
//! call joins, when the grace is zero, or when the loop is gone; a termination asks for it once.
//!
//! With [`TerminationScope::Child`] the reap ends it.
//!
//! With [`TerminationScope::Group`] it ends when the group is empty. The end of the leader does not
//! end it, and does not reap the leader either: as a zombie it keeps the number of the group from
//! being somebody else's. From that end on the group is looked at: at once, then after 1, 2, 5, 10, 20
//! and every 50 ms, and from the KILL on in the same way again. An empty group has the leader reaped,
//! which settles the calls; a group that is not empty a second after its KILL does so too, and the
//! outcome says that it is not gone. Where nothing can be seen of the group, the leader is reaped
//! after the KILL, and what is seen then decides. A call after the reap begins a termination of what
//! is left of the group.
//!
//! Inputs: calls, a refused signal, the leader's end, its reap, looks at the group, time, the end of
//! the loop. They may come in any order. A fact that is late (a refusal of what was not asked for, a
//! look when nothing is under way) or repeated (a second reap) is ignored.
//!
//! Outputs: [`TerminationStep`]s, to be carried out in order, and [`TerminationOutcome`]s. The driver
//! polls both after every input, the steps first. An outcome settles every call so far, so that each
//! call has exactly one. The driver keeps the promises, and the timer for
//! [`poll_deadline`](Terminator::poll_deadline); it reaps a leader that has ended when
//! [`keeps_leader`](Terminator::keeps_leader) says no.

use self::calls::{Calls, Look, Reap, UnderWay};
use crate::{GroupState, TerminationOutcome, TerminationScope, TerminationStep};
use procession_core::Signal;
use std::time::Duration;

mod calls;

/// Decides which signals a termination sends, and when: the one place that does, for real children
/// and fakes.
///
/// The module's page has the model.
///
/// # Examples
///
/// ```
/// use procession_core::Signal;
/// use procession_protocol::{TerminationOutcome, TerminationScope, TerminationStep, Terminator};
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
    progress: Progress,
    /// The loop is gone: a KILL cannot wait.
    gone: bool,
    /// `Some` from the first call on. Every child has a terminator, and few are terminated.
    calls: Option<Box<Calls>>,
}

/// How far the child has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Running,
    /// The child has ended, and is not reaped.
    Ended,
    /// The child is reaped; members of its group may live.
    Reaped,
    /// The child is reaped, and its group has no members.
    Empty,
}

impl Terminator {
    /// For how long whoever was killed is waited for: a termination then ends without them.
    pub const END_AFTER_KILL: Duration = calls::END_AFTER_KILL;

    /// Starts with a child that runs, and no termination.
    pub fn new(scope: TerminationScope) -> Self {
        Self { scope, progress: Progress::Running, gone: false, calls: None }
    }

    /// The program called `terminate` at `now`.
    ///
    /// While a termination is under way the call joins it: its own signal is not sent, KILL is.
    pub fn on_terminate(&mut self, signal: Signal, grace: Duration, now: Duration) {
        let has_somebody = self.has_somebody();
        let is_looked_at =
            self.scope == TerminationScope::Group && self.progress != Progress::Running;
        let calls = self.calls.get_or_insert_default();
        if !has_somebody {
            calls.outcome = Some(TerminationOutcome::TooLate);
            return;
        }
        if calls.under_way.is_some() {
            return calls.kill(now);
        }
        calls.under_way = Some(UnderWay {
            since: now,
            deadline: now.saturating_add(grace),
            killed: None,
            trying: false,
            look: is_looked_at.then(|| Look::begin(now)),
            reap: None,
        });
        calls.due.extend([TerminationStep::Signal(signal), TerminationStep::Continue]);
        if grace.is_zero() || self.gone {
            calls.kill(now);
        }
    }

    /// The signal of the step just taken was refused. Ignored after any other step.
    pub fn on_refused(&mut self) {
        let Some(calls) = &mut self.calls else { return };
        if calls.under_way.take_if(|under_way| under_way.trying).is_some() {
            calls.due.clear();
            calls.outcome = Some(TerminationOutcome::Refused);
        }
    }

    /// The child has ended, and is not reaped.
    pub fn on_ended(&mut self) {
        if self.progress == Progress::Running {
            self.progress = Progress::Ended;
            self.begin_to_look();
        }
    }

    /// The child was reaped at `now`, asked for or not.
    pub fn on_reaped(&mut self, now: Duration) {
        if matches!(self.progress, Progress::Reaped | Progress::Empty) {
            return;
        }
        self.progress = Progress::Reaped;
        if self.scope != TerminationScope::Group {
            return self.end(true, now);
        }
        let Some(under_way) = self.under_way_mut() else { return };
        match under_way.reap.take() {
            Some(Reap::AndEnd { is_gone }) => {
                if is_gone {
                    self.progress = Progress::Empty;
                }
                self.end(is_gone, now);
            }
            // Or somebody else reaped it, and its group may live.
            Some(Reap::AndLook) | None => self.begin_to_look(),
        }
    }

    /// A look at the group was answered at `now`. Ignored where a child is ended alone, before the
    /// leader's end, and where nothing is under way; that the group is alive also where no look was
    /// asked for.
    pub fn on_group(&mut self, state: GroupState, now: Duration) {
        if self.scope != TerminationScope::Group {
            return;
        }
        let is_reaped = match self.progress {
            Progress::Running | Progress::Empty => return,
            Progress::Ended => false,
            Progress::Reaped => true,
        };
        if state == GroupState::Empty && is_reaped {
            self.progress = Progress::Empty;
            return self.end(true, now);
        }
        let Some(calls) = &mut self.calls else { return };
        let Some(under_way) = &mut calls.under_way else { return };
        let is_over = under_way.limit().is_some_and(|limit| now >= limit);
        let reap = match state {
            GroupState::Empty => Reap::AndEnd { is_gone: true },
            // By the number of a group whose leader is reaped nothing is seen any more.
            GroupState::Unknown if is_reaped => return self.end(false, now),
            GroupState::Unknown if under_way.killed.is_some() => Reap::AndLook,
            _ if is_over && is_reaped => return self.end(false, now),
            _ if is_over => Reap::AndEnd { is_gone: false },
            _ if under_way.killed.is_none() && now >= under_way.deadline => return calls.kill(now),
            _ => return under_way.look_again(now),
        };
        if under_way.reap.is_none() {
            calls.due.retain(|step| *step != TerminationStep::LookAtGroup);
            calls.due.push_back(TerminationStep::Reap);
        }
        under_way.reap = Some(reap);
    }

    /// It is `now`, on the clock of the other facts.
    pub fn on_time(&mut self, now: Duration) {
        let Some(calls) = &mut self.calls else { return };
        let Some(under_way) = &mut calls.under_way else { return };
        let is_over = under_way.limit().is_some_and(|limit| now >= limit);
        let is_late = under_way.killed.is_none() && now >= under_way.deadline;
        match &mut under_way.look {
            // Nobody may be left to be killed, or waited for.
            Some(look) => {
                let is_due = is_over || is_late || look.at.is_some_and(|at| now >= at);
                if is_due && look.at.take().is_some() {
                    calls.due.push_back(TerminationStep::LookAtGroup);
                }
            }
            None if is_late => calls.kill(now),
            // Its reap, which ends it elsewhere, does not come.
            None if is_over && self.scope == TerminationScope::Group => self.end(false, now),
            None => {}
        }
    }

    /// The loop is gone: there is no time and no reap any more.
    ///
    /// A group whose leader has ended gets its KILL now; a child that runs is left to whoever reaps
    /// it. A group that a later call acts on is killed at once.
    pub fn on_gone(&mut self) {
        self.gone = true;
        let Some(calls) = &mut self.calls else { return };
        let Some(under_way) = calls.under_way.take() else { return };
        calls.due.retain(|step| *step == TerminationStep::Kill);
        if under_way.look.is_some() && under_way.killed.is_none() {
            calls.due.push_back(TerminationStep::Kill);
        }
        calls.outcome = Some(TerminationOutcome::Abandoned);
    }

    /// Takes what is to be done next.
    pub fn poll_step(&mut self) -> Option<TerminationStep> {
        let calls = self.calls.as_mut()?;
        let step = calls.due.pop_front()?;
        if let Some(under_way) = &mut calls.under_way {
            under_way.trying = matches!(step, TerminationStep::Signal(_));
            // Without a loop nobody sees the end of a group.
            if step == TerminationStep::Kill
                && self.gone
                && self.progress == Progress::Reaped
                && let Some(killed) = under_way.killed
            {
                self.end(false, killed);
            }
        }
        Some(step)
    }

    /// Takes what became of the calls so far.
    pub fn poll_outcome(&mut self) -> Option<TerminationOutcome> {
        self.calls.as_mut()?.outcome.take()
    }

    /// Returns when [`on_time`](Self::on_time) is to be called, if it is.
    pub fn poll_deadline(&self) -> Option<Duration> {
        let under_way = self.under_way()?;
        if under_way.reap.is_some() {
            return None;
        }
        let due = match under_way.limit() {
            None => Some(under_way.deadline),
            Some(limit) => (self.scope == TerminationScope::Group).then_some(limit),
        };
        let look = under_way.look.and_then(|look| look.at);
        due.into_iter().chain(look).min()
    }

    /// Returns whether a termination has begun and not ended.
    pub fn is_under_way(&self) -> bool {
        self.under_way().is_some()
    }

    /// Returns whether a leader that has ended is not to be reaped now: its end is to be told by
    /// [`on_ended`](Self::on_ended), and the reap is asked for later.
    pub fn keeps_leader(&self) -> bool {
        self.scope == TerminationScope::Group
            && self.under_way().is_some_and(|under_way| under_way.reap.is_none())
    }

    /// Returns what is signalled.
    pub fn scope(&self) -> TerminationScope {
        self.scope
    }

    fn under_way(&self) -> Option<&UnderWay> {
        self.calls.as_ref()?.under_way.as_ref()
    }

    fn under_way_mut(&mut self) -> Option<&mut UnderWay> {
        self.calls.as_mut()?.under_way.as_mut()
    }

    /// Returns whether there is, or may be, somebody to signal.
    fn has_somebody(&self) -> bool {
        match self.progress {
            Progress::Running | Progress::Ended => true,
            Progress::Reaped => self.scope == TerminationScope::Group,
            Progress::Empty => false,
        }
    }

    /// Asks for a look at once, and for others after it.
    fn begin_to_look(&mut self) {
        if let Some(calls) = &mut self.calls
            && let Some(under_way) = &mut calls.under_way
            && self.scope == TerminationScope::Group
        {
            under_way.look = Some(Look { at: None, in_vain: 0 });
            under_way.trying = false;
            calls.due.push_back(TerminationStep::LookAtGroup);
        }
    }

    /// The termination, if one is under way, has ended. A KILL that the driver has not taken yet is
    /// still sent to whoever is left.
    fn end(&mut self, is_gone: bool, now: Duration) {
        let has_somebody = self.has_somebody();
        let Some(calls) = &mut self.calls else { return };
        calls.due.retain(|step| has_somebody && *step == TerminationStep::Kill);
        if let Some(under_way) = calls.under_way.take() {
            calls.outcome = Some(TerminationOutcome::Ended {
                escalated: under_way.killed.is_some(),
                is_gone,
                after: now.saturating_sub(under_way.since),
            });
        }
    }
}
