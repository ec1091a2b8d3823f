//! Pure core: calls of `terminate` and facts about the child in, signals to send out.
//!
//! # Model
//!
//! A termination begins with a call, asks for the call's signal and for CONT (a stopped child would
//! neither die of the signal nor handle it), and has a deadline: the time of the call plus its grace.
//! Calls that come while it is under way join it. KILL is due at the deadline, or at once when a
//! call joins, when the grace is zero, or when the loop is gone; a termination asks for it once.
//!
//! With [`TerminationScope::Child`] the reap ends it. With [`TerminationScope::Group`] the reap of the
//! leader settles the calls so far, and the termination goes on while members of the group live: the
//! KILL stays due at the deadline, and the group is looked at, first at the reap, then at growing
//! intervals. It ends when the group is empty or was killed. A call after the reap begins a
//! termination of what is left of the group.
//!
//! Inputs: calls, a refused signal, a group that is about to be out of reach, the reap, looks at the
//! group, time, the end of the loop. They may come in any order. A fact that is late (a refusal of
//! what was not asked for, a look when nothing is under way) or repeated (a second reap) is ignored.
//!
//! Outputs: [`TerminationStep`]s, to be carried out in order, and [`TerminationOutcome`]s. The driver
//! polls both after every input, the steps first. An outcome settles every call so far, so that each
//! call has exactly one. The driver keeps the promises, and the timer for
//! [`poll_deadline`](Terminator::poll_deadline).

use crate::{GroupState, TerminationOutcome, TerminationScope, TerminationStep};
use procession_core::Signal;
use std::collections::VecDeque;
use std::time::Duration;

/// How long after the first look at a group, or after the call that acts on it, comes the next.
const FIRST_INTERVAL: Duration = Duration::from_millis(2);
/// The longest time between two looks.
const LONGEST_INTERVAL: Duration = Duration::from_millis(200);

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
/// let ended = TerminationOutcome::Ended { escalated: true, after: second };
/// assert_eq!(terminator.poll_outcome(), Some(ended));
/// ```
#[derive(Debug)]
pub struct Terminator {
    scope: TerminationScope,
    progress: Progress,
    /// The loop is gone: a KILL cannot wait.
    gone: bool,
    under_way: Option<UnderWay>,
    /// What the driver has not taken yet.
    due: VecDeque<TerminationStep>,
    /// As above.
    outcome: Option<TerminationOutcome>,
}

/// How far the child has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Running,
    /// The child is reaped; members of its group may live.
    Reaped,
    /// The child is reaped, and its group has no members.
    Empty,
}

/// A termination that has begun and not ended.
#[derive(Debug)]
struct UnderWay {
    /// The time of the first call.
    since: Duration,
    /// When KILL is due.
    deadline: Duration,
    /// When KILL was asked for; nothing is due then but the end.
    killed: Option<Duration>,
    /// KILL was asked for what the leader leaves of its group.
    members_killed: bool,
    /// A call waits for the outcome; none does once the reap has settled them.
    awaited: bool,
    /// The driver is sending the first signal: it may be refused.
    trying: bool,
    /// `Some` once the leader is reaped.
    look: Option<Look>,
}

/// The next look at the group.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// `None` from the time that it is asked for until it is answered.
    at: Option<Duration>,
    /// The time between the last look and this one.
    interval: Duration,
}

impl Terminator {
    /// Starts with a child that runs, and no termination.
    pub fn new(scope: TerminationScope) -> Self {
        Self {
            scope,
            progress: Progress::Running,
            gone: false,
            under_way: None,
            due: VecDeque::new(),
            outcome: None,
        }
    }

    /// The program called `terminate` at `now`.
    ///
    /// While a termination is under way the call joins it: its own signal is not sent, KILL is.
    pub fn on_terminate(&mut self, signal: Signal, grace: Duration, now: Duration) {
        if !self.has_somebody() {
            self.outcome = Some(TerminationOutcome::TooLate);
            return;
        }
        if let Some(under_way) = &mut self.under_way {
            under_way.awaited = true;
            return self.kill(now);
        }
        let is_reaped = self.progress == Progress::Reaped;
        let look = Look { at: Some(now.saturating_add(FIRST_INTERVAL)), interval: FIRST_INTERVAL };
        self.under_way = Some(UnderWay {
            since: now,
            deadline: now.saturating_add(grace),
            killed: None,
            members_killed: false,
            awaited: true,
            trying: false,
            look: is_reaped.then_some(look),
        });
        self.due.extend([TerminationStep::Signal(signal), TerminationStep::Continue]);
        if grace.is_zero() || self.gone {
            self.kill(now);
        }
    }

    /// The signal of the step just taken was refused. Ignored after any other step.
    pub fn on_refused(&mut self) {
        if self.under_way.take_if(|under_way| under_way.trying).is_some() {
            self.due.clear();
            self.outcome = Some(TerminationOutcome::Refused);
        }
    }

    /// The leader has ended and is about to be reaped, and its group cannot be signalled after that.
    pub fn on_group_slips_away(&mut self) {
        let is_running = self.progress == Progress::Running;
        let Some(under_way) = &mut self.under_way else { return };
        let is_sent = under_way.killed.is_some() || under_way.members_killed;
        if is_running && self.scope == TerminationScope::Group && !is_sent {
            under_way.members_killed = true;
            self.due.push_back(TerminationStep::KillMembers);
        }
    }

    /// The child was reaped at `now`.
    pub fn on_reaped(&mut self, now: Duration) {
        if self.progress != Progress::Running {
            return;
        }
        self.progress = Progress::Reaped;
        let is_group = self.scope == TerminationScope::Group;
        match &mut self.under_way {
            // Members that outlive the leader still get their KILL.
            Some(under_way)
                if is_group && under_way.killed.is_none() && !under_way.members_killed =>
            {
                under_way.trying = false;
                under_way.look = Some(Look { at: None, interval: Duration::ZERO });
                let after = now.saturating_sub(under_way.since);
                if std::mem::take(&mut under_way.awaited) {
                    self.outcome = Some(TerminationOutcome::Ended { escalated: false, after });
                }
                self.due.push_back(TerminationStep::LookAtGroup);
            }
            _ => self.end(now),
        }
    }

    /// A look at the group was answered at `now`. Ignored before the reap; that the group is alive
    /// also where no look was asked for.
    pub fn on_group(&mut self, state: GroupState, now: Duration) {
        if self.progress != Progress::Reaped {
            return;
        }
        match state {
            GroupState::Alive => {
                let look = self.under_way.as_mut().and_then(|under_way| under_way.look.as_mut());
                if let Some(look) = look.filter(|look| look.at.is_none()) {
                    let doubled = look.interval.saturating_mul(2);
                    look.interval = doubled.clamp(FIRST_INTERVAL, LONGEST_INTERVAL);
                    look.at = Some(now.saturating_add(look.interval));
                }
            }
            GroupState::Empty => {
                self.progress = Progress::Empty;
                self.end(now);
            }
            GroupState::Unknown => self.end(now),
        }
    }

    /// It is `now`, on the clock of the other facts.
    pub fn on_time(&mut self, now: Duration) {
        let Some(under_way) = &mut self.under_way else { return };
        if now >= under_way.deadline {
            return self.kill(now);
        }
        if let Some(look) = &mut under_way.look
            && look.at.is_some_and(|at| now >= at)
        {
            look.at = None;
            self.due.push_back(TerminationStep::LookAtGroup);
        }
    }

    /// The loop is gone: there is no time and no reap any more.
    ///
    /// A group whose leader was reaped gets its KILL now; a child that was not reaped is left to
    /// whoever reaps it. A group that a later call acts on is killed at once.
    pub fn on_gone(&mut self) {
        self.gone = true;
        let Some(under_way) = self.under_way.take() else { return };
        let is_killed = under_way.killed.is_some();
        self.due.retain(|step| *step == TerminationStep::Kill);
        if self.progress == Progress::Reaped && !is_killed {
            self.due.push_back(TerminationStep::Kill);
        }
        if under_way.awaited {
            self.outcome = Some(TerminationOutcome::Abandoned);
        }
    }

    /// Takes what is to be done next.
    pub fn poll_step(&mut self) -> Option<TerminationStep> {
        let step = self.due.pop_front()?;
        if let Some(under_way) = &mut self.under_way {
            under_way.trying = matches!(step, TerminationStep::Signal(_));
            // Of a group whose leader is gone nobody sees the end.
            if step == TerminationStep::Kill
                && self.progress == Progress::Reaped
                && let Some(killed) = under_way.killed
            {
                self.end(killed);
            }
        }
        Some(step)
    }

    /// Takes what became of the calls so far.
    pub fn poll_outcome(&mut self) -> Option<TerminationOutcome> {
        self.outcome.take()
    }

    /// Returns when [`on_time`](Self::on_time) is to be called, if it is.
    pub fn poll_deadline(&self) -> Option<Duration> {
        let under_way = self.under_way.as_ref().filter(|under_way| under_way.killed.is_none())?;
        let look = under_way.look.and_then(|look| look.at);
        Some(look.map_or(under_way.deadline, |at| at.min(under_way.deadline)))
    }

    /// Returns whether a termination has begun and not ended.
    pub fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Returns what is signalled.
    pub fn scope(&self) -> TerminationScope {
        self.scope
    }

    /// Returns whether there is, or may be, somebody to signal.
    fn has_somebody(&self) -> bool {
        match self.progress {
            Progress::Running => true,
            Progress::Reaped => self.scope == TerminationScope::Group,
            Progress::Empty => false,
        }
    }

    /// Asks for KILL, once a termination.
    fn kill(&mut self, now: Duration) {
        if let Some(under_way) = &mut self.under_way
            && under_way.killed.is_none()
        {
            under_way.killed = Some(now);
            self.due.push_back(TerminationStep::Kill);
        }
    }

    /// The termination, if one is under way, has ended. A KILL that the driver has not taken yet is
    /// still sent to whoever is left.
    fn end(&mut self, now: Duration) {
        let has_somebody = self.has_somebody();
        self.due.retain(|step| has_somebody && *step == TerminationStep::Kill);
        if let Some(under_way) = self.under_way.take()
            && under_way.awaited
        {
            self.outcome = Some(TerminationOutcome::Ended {
                escalated: under_way.killed.is_some(),
                after: now.saturating_sub(under_way.since),
            });
        }
    }
}
