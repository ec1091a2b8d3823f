//! Facts about a termination in any order, including orders that no system produces. Each call has
//! one outcome, no process is killed twice or too early, and no step is impossible.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use procession_core::Signal;
use procession_protocol::driver::{
    GroupState, TerminationOutcome, TerminationScope, TerminationStep, Terminator,
};

#[derive(Debug, Clone, Copy, Arbitrary)]
enum LookResult {
    Alive,
    Empty,
    Unknown,
}

impl LookResult {
    fn state(self) -> GroupState {
        match self {
            Self::Alive => GroupState::Alive,
            Self::Empty => GroupState::Empty,
            Self::Unknown => GroupState::Unknown,
        }
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Fact {
    /// `None` is an endless grace.
    Terminate(Option<u8>),
    TerminateRefused,
    /// Reports a refusal although nothing was asked for.
    Refused,
    Ended,
    Reaped,
    Group(LookResult),
    Time(u16),
    /// Moves the time to the deadline, as a driver's timer does.
    TimeIsDue,
    Gone,
}

#[derive(Debug, Arbitrary)]
struct Input {
    group: bool,
    facts: Vec<Fact>,
    /// The results of looks at the group. If one is missing, it comes as a fact later, or never.
    looks: Vec<Option<LookResult>>,
    /// Whether a reap is done at once.
    reaps: bool,
}

/// The last termination, which may still be under way.
#[derive(Debug, Clone, Copy)]
struct Phase {
    since: Duration,
    deadline: Duration,
    /// KILL may come before the deadline.
    hurried: bool,
    signalled: bool,
    continued: bool,
    killed: Option<Duration>,
    reap_asked: bool,
}

struct Play {
    terminator: Terminator,
    now: Duration,
    phase: Option<Phase>,
    waiting: u64,
    refuses: bool,
    reaps: bool,
    looks: std::vec::IntoIter<Option<LookResult>>,
    ended: bool,
    reaped: bool,
    gone: bool,
    /// A look after the leader's end found the group empty.
    empty: bool,
    /// No process is left: no signal may follow.
    over: bool,
    unknown: bool,
}

impl Play {
    fn is_group(&self) -> bool {
        self.terminator.scope() == TerminationScope::Group
    }

    fn fact(&mut self, fact: Fact) {
        match fact {
            Fact::Terminate(grace) => self.terminate(grace),
            Fact::TerminateRefused => {
                self.refuses = true;
                self.terminate(Some(9));
                self.refuses = false;
            }
            Fact::Refused => self.terminator.on_refused(),
            Fact::Ended => {
                self.ended = true;
                self.terminator.on_ended();
            }
            Fact::Reaped => self.reap(),
            Fact::Group(seen) if self.is_group() => self.see(seen),
            // The child is terminated alone, so its group has no meaning.
            Fact::Group(seen) => self.terminator.on_group(seen.state(), self.now),
            Fact::Time(millis) => self.now += Duration::from_millis(u64::from(millis)),
            Fact::TimeIsDue => {
                let due = self.terminator.poll_deadline().filter(|due| *due < Duration::MAX);
                self.now = self.now.max(due.unwrap_or_default());
            }
            Fact::Gone => {
                self.gone = true;
                if let Some(phase) = &mut self.phase {
                    phase.hurried = true;
                }
                self.terminator.on_gone();
            }
        }
        if matches!(fact, Fact::Time(_) | Fact::TimeIsDue) {
            self.terminator.on_time(self.now);
        }
        self.act();
    }

    fn terminate(&mut self, grace: Option<u8>) {
        let grace = grace.map_or(Duration::MAX, |millis| Duration::from_millis(u64::from(millis)));
        self.waiting += 1;
        match self.phase.as_mut().filter(|_| self.terminator.is_under_way()) {
            Some(phase) => phase.hurried = true,
            None => {
                self.phase = Some(Phase {
                    since: self.now,
                    deadline: self.now.saturating_add(grace),
                    hurried: grace.is_zero() || self.gone,
                    signalled: false,
                    continued: false,
                    killed: None,
                    reap_asked: false,
                });
            }
        }
        self.terminator.on_terminate(Signal::TERM, grace, self.now);
    }

    fn reap(&mut self) {
        (self.ended, self.reaped) = (true, true);
        self.over |= !self.is_group();
        self.terminator.on_reaped(self.now);
    }

    fn see(&mut self, seen: LookResult) {
        if self.ended {
            self.unknown |= matches!(seen, LookResult::Unknown);
            self.empty |= matches!(seen, LookResult::Empty);
            self.over |= self.reaped && matches!(seen, LookResult::Empty);
        }
        self.terminator.on_group(seen.state(), self.now);
    }

    /// Polls as a driver does, and checks every answer.
    fn act(&mut self) {
        while let Some(step) = self.terminator.poll_step() {
            self.step(step);
        }
        if let Some(outcome) = self.terminator.poll_outcome() {
            assert!(self.waiting > 0, "{outcome:?} for nobody");
            self.waiting = 0;
            self.outcome(outcome);
        }
        assert_eq!(self.terminator.poll_outcome(), None);
        let under_way = self.terminator.is_under_way();
        assert_eq!(under_way, self.waiting > 0, "a call waits for nothing, or nobody waits");
        let due = self.terminator.poll_deadline();
        if !under_way {
            assert_eq!(due, None);
        } else if let (None, Some(phase)) = (due, self.phase) {
            let waits_for_reap = phase.reap_asked || !self.is_group() && phase.killed.is_some();
            assert!(waits_for_reap, "nothing would wake it up");
        }
        if !self.is_group() {
            assert!(!self.terminator.keeps_leader() && !(self.reaped && under_way));
        }
    }

    fn step(&mut self, step: TerminationStep) {
        let now = self.now;
        let phase = self.phase.as_mut().expect("nothing is to be done before a call");
        match step {
            TerminationStep::Signal(signal) => {
                assert_eq!(signal, Signal::TERM);
                assert!(!std::mem::replace(&mut phase.signalled, true) && !self.over);
                if self.refuses {
                    self.terminator.on_refused();
                    assert_eq!(self.terminator.poll_step(), None, "it was refused");
                }
            }
            TerminationStep::Continue => {
                assert!(phase.signalled && !std::mem::replace(&mut phase.continued, true));
                assert!(!self.over);
            }
            TerminationStep::Kill => {
                assert_eq!(phase.killed.replace(now), None, "one KILL a termination");
                assert!(phase.hurried || now >= phase.deadline, "not before its time");
                assert!(!self.over, "nobody is left to be killed");
            }
            TerminationStep::LookAtGroup => {
                assert!(self.is_group() && self.ended && !self.over);
                if let Some(seen) = self.looks.next().flatten() {
                    self.see(seen);
                }
            }
            TerminationStep::Reap => {
                assert!(!std::mem::replace(&mut phase.reap_asked, true), "once a termination");
                let killed = phase.killed.is_some();
                assert!(self.is_group() && self.ended && !self.reaped);
                assert!(self.empty || killed, "the leader keeps the number of its group");
                if self.reaps {
                    self.reap();
                }
            }
        }
    }

    fn outcome(&mut self, outcome: TerminationOutcome) {
        let phase = self.phase.expect("somebody called");
        match outcome {
            TerminationOutcome::Ended { escalated, is_gone, after } => {
                assert_eq!(escalated, phase.killed.is_some());
                assert_eq!(after, self.now - phase.since);
                let given_up =
                    phase.killed.is_some_and(|at| at + Duration::from_secs(1) <= self.now);
                if is_gone {
                    self.over = true;
                    assert!(if self.is_group() { self.empty } else { self.reaped });
                } else {
                    assert!(self.is_group() && (given_up || self.unknown || self.gone));
                }
            }
            TerminationOutcome::Refused => assert!(self.refuses && !phase.continued),
            TerminationOutcome::TooLate => {
                assert!(self.over && !phase.signalled && phase.killed.is_none());
            }
            TerminationOutcome::Abandoned => assert!(self.gone),
            other => panic!("an outcome that the model does not know: {other:?}"),
        }
    }
}

fuzz_target!(|input: Input| {
    let scope = match input.group {
        true => TerminationScope::Group,
        false => TerminationScope::Child,
    };
    let mut play = Play {
        terminator: Terminator::new(scope),
        now: Duration::ZERO,
        phase: None,
        waiting: 0,
        refuses: false,
        reaps: input.reaps,
        looks: input.looks.into_iter(),
        ended: false,
        reaped: false,
        gone: false,
        empty: false,
        over: false,
        unknown: false,
    };
    for fact in input.facts {
        play.fact(fact);
    }
    play.fact(Fact::Gone);
    assert_eq!(play.waiting, 0, "at the end every call has its outcome");
});
