//! The terminator against a simulated system: a leader and a member of its group obey signals or ignore
//! them, are stopped, end and are reaped, interleaved with calls, time and the end of the loop.
//!
//! The tests try every sequence of few facts, and long random ones.

use std::time::Duration;

use procession_core::Signal;
use procession_protocol::driver::{
    GroupState, TerminationOutcome, TerminationScope, TerminationStep, Terminator,
};
use proptest::prelude::*;

/// The same as the longest time between two checks of the group.
const GRACE: Duration = Duration::from_millis(50);
/// How long a group is checked after KILL.
const SECOND: Duration = Duration::from_secs(1);

/// An event of the system.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fact {
    /// A call whose signal the kernel accepts.
    Terminate(Duration),
    /// A call whose signal the kernel refuses.
    TerminateRefused,
    /// The leader is stopped.
    Stop,
    LeaderExits,
    MemberExits,
    /// The driver checks whether the leader has ended, and reaps it unless it must be kept.
    Notice,
    /// Other code reaps the leader, and the driver notices.
    Steal,
    /// This much time passes, and the driver's timer fires if it is due.
    Time(Duration),
    /// The loop ends.
    Gone,
}

/// The facts from which every short sequence is tried.
const FACTS: [Fact; 12] = [
    Fact::Terminate(GRACE),
    Fact::Terminate(Duration::ZERO),
    Fact::TerminateRefused,
    Fact::Stop,
    Fact::LeaderExits,
    Fact::MemberExits,
    Fact::Notice,
    Fact::Steal,
    Fact::Time(Duration::from_millis(2)),
    Fact::Time(GRACE),
    Fact::Time(SECOND),
    Fact::Gone,
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum ProcessState {
    Running,
    Stopped,
    /// Stopped, with a signal that will end it when it is continued.
    Doomed,
    Zombie,
    Reaped,
}

/// How a process reacts to signals.
#[derive(Debug, Clone, Copy, PartialEq)]
enum SignalReaction {
    Obeys,
    /// Ignores every signal except KILL.
    Deaf,
    /// Belongs to another user, so no signal arrives.
    Immune,
}

/// One process of the system.
#[derive(Debug, Clone, Copy)]
struct SimulatedProcess {
    life: ProcessState,
    kind: SignalReaction,
}

impl SimulatedProcess {
    fn new(kind: SignalReaction) -> Self {
        Self { life: ProcessState::Running, kind }
    }

    fn is_alive(self) -> bool {
        !matches!(self.life, ProcessState::Zombie | ProcessState::Reaped)
    }

    fn exit(&mut self) {
        if self.is_alive() {
            self.life = ProcessState::Zombie;
        }
    }

    fn receive(&mut self, signal: Signal) {
        let obeys = self.kind == SignalReaction::Obeys;
        match (signal, self.life) {
            _ if self.kind == SignalReaction::Immune => {}
            (_, ProcessState::Zombie | ProcessState::Reaped) => {}
            (Signal::KILL, _) | (Signal::CONT, ProcessState::Doomed) => self.exit(),
            (Signal::CONT, _) => self.life = ProcessState::Running,
            (_, ProcessState::Stopped) if obeys => self.life = ProcessState::Doomed,
            (_, ProcessState::Running) if obeys => self.exit(),
            _ => {}
        }
    }
}

/// The facts about the termination under way that the laws need.
#[derive(Debug, Clone, Copy)]
struct OngoingTermination {
    since: Duration,
    /// The time from which KILL may come without another reason.
    deadline: Duration,
    /// A second call, a grace of zero or the end of the loop: KILL may come before the deadline.
    hurried: bool,
    /// The time of KILL, once it was sent.
    killed: Option<Duration>,
}

/// The setting of a run: the scope, the kinds of leader and member, whether the group can be checked, and
/// whether it can be signalled after the reap.
#[derive(Debug, Clone, Copy)]
struct Setting {
    scope: TerminationScope,
    leader: SignalReaction,
    member: Option<SignalReaction>,
    readable: bool,
    survives: bool,
}

impl Setting {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for leader in [SignalReaction::Obeys, SignalReaction::Deaf, SignalReaction::Immune] {
            let members = [
                None,
                Some(SignalReaction::Obeys),
                Some(SignalReaction::Deaf),
                Some(SignalReaction::Immune),
            ];
            for member in members {
                for (readable, survives) in
                    [(true, true), (true, false), (false, true), (false, false)]
                {
                    let scope = TerminationScope::Group;
                    all.push(Self { scope, leader, member, readable, survives });
                }
            }
            let scope = TerminationScope::Child;
            let member = Some(SignalReaction::Obeys);
            all.push(Self { scope, leader, member, readable: true, survives: true });
        }
        all
    }
}

/// The system, with a driver that checks the laws at each step.
struct SimulatedSystem {
    terminator: Terminator,
    setting: Setting,
    now: Duration,
    leader: SimulatedProcess,
    member: Option<SimulatedProcess>,
    /// The next signal that is not CONT or KILL is refused.
    refuses: bool,
    gone: bool,
    /// The driver knows that the leader has ended.
    noticed: bool,
    /// A check found the group empty.
    known_empty: bool,
    phase: Option<OngoingTermination>,
    /// The number of calls that wait.
    waiting: usize,
    calls: usize,
    settled: usize,
    /// All signals that were sent.
    sent: Vec<Signal>,
}

impl SimulatedSystem {
    fn new(setting: Setting) -> Self {
        Self {
            terminator: Terminator::new(setting.scope),
            setting,
            now: Duration::from_secs(1),
            leader: SimulatedProcess::new(setting.leader),
            member: setting.member.map(SimulatedProcess::new),
            refuses: false,
            gone: false,
            noticed: false,
            known_empty: false,
            phase: None,
            waiting: 0,
            calls: 0,
            settled: 0,
            sent: Vec::new(),
        }
    }

    fn is_reaped(&self) -> bool {
        self.leader.life == ProcessState::Reaped
    }

    fn is_group(&self) -> bool {
        self.setting.scope == TerminationScope::Group
    }

    fn is_member_alive(&self) -> bool {
        self.member.is_some_and(SimulatedProcess::is_alive)
    }

    fn is_empty(&self) -> bool {
        !self.leader.is_alive() && !self.is_member_alive()
    }

    fn happen(&mut self, fact: Fact) {
        match fact {
            Fact::Terminate(grace) => self.terminate(grace, false),
            Fact::TerminateRefused => self.terminate(GRACE, true),
            Fact::Stop if self.leader.life == ProcessState::Running => {
                self.leader.life = ProcessState::Stopped
            }
            Fact::Stop => {}
            Fact::LeaderExits => self.leader.exit(),
            Fact::MemberExits => {
                self.member.as_mut().map(SimulatedProcess::exit);
            }
            Fact::Notice => self.notice(),
            Fact::Steal => self.steal(),
            Fact::Time(passed) => self.pass(passed),
            Fact::Gone => self.lose_the_loop(),
        }
        self.check_deadline();
    }

    fn terminate(&mut self, grace: Duration, refuses: bool) {
        let joins = self.terminator.is_under_way();
        self.refuses = refuses;
        self.calls += 1;
        self.waiting += 1;
        if let Some(phase) = self.phase.as_mut().filter(|_| joins) {
            phase.hurried = true;
        } else {
            self.phase = Some(OngoingTermination {
                since: self.now,
                deadline: self.now.saturating_add(grace),
                hurried: grace.is_zero() || self.gone,
                killed: None,
            });
        }
        let stopped = self.leader.life == ProcessState::Stopped;
        let before = self.sent.len();
        self.terminator.on_terminate(Signal::TERM, grace, self.now);
        self.act();
        let sent = &self.sent[before..];
        if joins {
            assert!(!sent.contains(&Signal::TERM), "the signal of a joining call");
            assert!(self.phase.is_none_or(|phase| phase.killed.is_some()), "it kills");
        } else if sent.first() == Some(&Signal::TERM) {
            assert_eq!(sent.get(1), Some(&Signal::CONT));
            if stopped && self.leader.kind == SignalReaction::Obeys {
                assert!(!self.leader.is_alive(), "a stopped child ends as one that runs");
            }
        } else {
            assert_eq!((sent, self.waiting), (&[][..], 0), "refused, or too late");
        }
        self.refuses = false;
    }

    fn notice(&mut self) {
        if self.gone || self.leader.life != ProcessState::Zombie {
            return;
        }
        self.noticed = true;
        if self.terminator.keeps_leader() {
            assert!(self.is_group() && self.terminator.is_under_way());
            self.terminator.on_ended();
            self.act();
        } else {
            self.reap();
            self.act();
            assert_eq!(self.waiting, 0, "nobody waits for a group whose leader is not kept");
        }
        if !self.is_group() {
            assert!(!self.terminator.is_under_way(), "the reap ends it");
        }
    }

    fn reap(&mut self) {
        self.leader.life = ProcessState::Reaped;
        self.terminator.on_reaped(self.now);
    }

    fn steal(&mut self) {
        if self.leader.life == ProcessState::Zombie {
            self.leader.life = ProcessState::Reaped;
            if !self.gone {
                self.noticed = true;
                self.terminator.on_reaped(self.now);
                self.act();
            }
        }
    }

    fn pass(&mut self, passed: Duration) {
        let until = self.now + passed;
        let was_empty = self.is_empty();
        while let Some(due) = self.terminator.poll_deadline().filter(|due| *due <= until) {
            if self.gone {
                break;
            }
            self.now = self.now.max(due);
            self.terminator.on_time(self.now);
            self.act();
        }
        self.now = until;
        // Early, late and repeated reports of the time change nothing.
        self.terminator.on_time(self.now);
        self.act();
        let killed = self.phase.and_then(|phase| phase.killed);
        if !self.gone && killed.is_some_and(|killed| killed + SECOND <= self.now) {
            assert_eq!(self.waiting, 0, "a second after KILL at most");
        }
        if self.is_group() {
            let is_seen = self.setting.readable && (self.setting.survives || !self.is_reaped());
            if was_empty && is_seen && self.noticed && passed >= GRACE {
                assert_eq!(self.waiting, 0, "an empty group is not waited for");
            }
        }
    }

    fn lose_the_loop(&mut self) {
        self.gone = true;
        let is_killed = self.phase.is_some_and(|phase| phase.killed.is_some());
        let is_due =
            self.is_group() && self.terminator.is_under_way() && self.noticed && !is_killed;
        if let Some(phase) = &mut self.phase {
            phase.hurried = true;
        }
        self.terminator.on_gone();
        let kills = |sent: &[Signal]| sent.iter().filter(|sent| **sent == Signal::KILL).count();
        let before = kills(&self.sent);
        self.act();
        assert_eq!(kills(&self.sent) - before, usize::from(is_due));
        assert_eq!(self.waiting, 0);
        assert!(!self.terminator.is_under_way());
    }

    /// Does the due steps, as a driver does.
    fn act(&mut self) {
        while let Some(step) = self.terminator.poll_step() {
            match step {
                TerminationStep::Signal(_) if self.refuses || !self.can_be_signalled() => {
                    self.terminator.on_refused();
                }
                TerminationStep::Signal(signal) => self.send(signal),
                TerminationStep::Continue => self.send(Signal::CONT),
                TerminationStep::Kill => self.kill(),
                TerminationStep::LookAtGroup => {
                    assert!(self.is_group() && self.noticed && !self.known_empty);
                    let state = self.look();
                    self.known_empty |= state == GroupState::Empty;
                    self.terminator.on_group(state, self.now);
                }
                TerminationStep::Reap => {
                    assert!(self.is_group() && self.leader.life == ProcessState::Zombie);
                    let killed = self.phase.and_then(|phase| phase.killed);
                    let is_late = killed.is_some_and(|killed| killed + SECOND <= self.now);
                    let is_blind = killed.is_some() && !self.setting.readable;
                    assert!(self.is_empty() || is_late || is_blind, "reaped too early");
                    self.reap();
                }
            }
        }
        if let Some(outcome) = self.terminator.poll_outcome() {
            self.settle(outcome);
        }
        if self.is_reaped() && !self.terminator.is_under_way() {
            assert_eq!(self.waiting, 0, "nobody is left to end");
        }
    }

    fn look(&self) -> GroupState {
        match (self.is_reaped(), self.setting.readable, self.setting.survives) {
            (true, _, false) | (false, false, _) => GroupState::Unknown,
            _ if self.is_empty() => GroupState::Empty,
            _ => GroupState::Alive,
        }
    }

    fn kill(&mut self) {
        let setting = self.setting;
        let phase = self.phase.as_mut().expect("a termination kills");
        assert_eq!(phase.killed, None, "one KILL a termination");
        phase.killed = Some(self.now);
        if !phase.hurried {
            assert!(self.now >= phase.deadline, "not before the grace is over");
            let is_seen = setting.readable && (setting.survives || !self.is_reaped());
            assert!(!self.noticed || !is_seen || !self.is_empty(), "there is nobody to kill");
        }
        self.send(Signal::KILL);
    }

    fn can_be_signalled(&self) -> bool {
        match self.setting.scope {
            TerminationScope::Group if self.is_reaped() => {
                self.setting.survives && self.is_member_alive()
            }
            _ => !self.gone && !self.is_reaped(),
        }
    }

    fn send(&mut self, signal: Signal) {
        assert!(!self.known_empty, "{signal:?} to an empty group");
        assert!(self.is_group() || !self.is_reaped(), "{signal:?} to a reaped child");
        self.sent.push(signal);
        self.leader.receive(signal);
        if self.is_group()
            && let Some(member) = &mut self.member
        {
            member.receive(signal);
        }
    }

    fn settle(&mut self, outcome: TerminationOutcome) {
        assert!(self.waiting > 0, "{outcome:?} for nobody");
        self.settled += std::mem::take(&mut self.waiting);
        let phase = self.phase.expect("somebody called");
        match outcome {
            TerminationOutcome::Ended { escalated, is_gone, after } => {
                assert_eq!(escalated, phase.killed.is_some());
                assert_eq!(after, self.now - phase.since);
                let is_late = phase.killed.is_some_and(|killed| killed + SECOND <= self.now);
                let blind = !self.setting.readable || !self.setting.survives;
                if is_gone {
                    assert!(self.is_reaped() && (self.is_empty() || !self.is_group()));
                } else {
                    assert!(is_late || self.is_group() && (blind || self.gone));
                }
            }
            TerminationOutcome::Refused => {
                assert!(!self.terminator.is_under_way() && phase.killed.is_none());
            }
            TerminationOutcome::TooLate => {
                assert!(self.is_reaped() && (self.known_empty || !self.is_group()));
            }
            outcome => assert!(self.gone, "{outcome:?}"),
        }
    }

    /// Checks that the timer is for KILL, for a check of the group, or for the end of the checks.
    fn check_deadline(&self) {
        let due = self.terminator.poll_deadline();
        if !self.terminator.is_under_way() {
            return assert_eq!(due, None);
        }
        let phase = self.phase.expect("one is under way");
        let last = phase.killed.map_or(phase.deadline, |killed| killed + SECOND);
        match due {
            Some(due) if self.noticed => assert!(due <= last),
            due => assert_eq!(due, Some(last)),
        }
    }

    /// Lets time pass and every process end, and checks that every call is settled, once.
    fn come_to_the_end(&mut self) {
        self.pass(GRACE);
        if let Some(phase) = self.phase
            && self.terminator.is_under_way()
            && !self.gone
            && self.now >= phase.deadline
            && self.leader.kind != SignalReaction::Immune
        {
            assert!(!self.leader.is_alive(), "what outlives the grace is killed");
        }
        self.leader.exit();
        self.member.as_mut().map(SimulatedProcess::exit);
        self.happen(Fact::Notice);
        self.happen(Fact::Time(GRACE));
        self.happen(Fact::Gone);
        assert_eq!((self.settled, self.waiting), (self.calls, 0));
        assert_eq!((self.terminator.poll_step(), self.terminator.poll_outcome()), (None, None));
    }
}

fn run(setting: Setting, facts: &[Fact]) {
    let mut world = SimulatedSystem::new(setting);
    for fact in facts {
        world.happen(*fact);
    }
    world.come_to_the_end();
}

/// Prints the setting and the facts if a law fails.
struct PrintOnPanic<'a>(Setting, &'a [Fact]);

impl Drop for PrintOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}: {:?}", self.0, self.1);
        }
    }
}

/// The greatest number of facts in a sequence.
const DEPTH: usize = 4;

#[test]
fn every_sequence_of_few_facts_keeps_the_laws() {
    let mut sequences: Vec<Vec<Fact>> = vec![Vec::new()];
    for _ in 0..=DEPTH {
        for sequence in &sequences {
            for setting in Setting::all() {
                let _tried = PrintOnPanic(setting, sequence);
                run(setting, sequence);
            }
        }
        let longer = sequences
            .iter()
            .flat_map(|sequence| FACTS.map(|fact| [sequence.as_slice(), &[fact]].concat()));
        sequences = longer.collect();
    }
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        4 => prop::sample::select(vec![Duration::ZERO, GRACE, GRACE * 10, Duration::MAX])
            .prop_map(Fact::Terminate),
        4 => (0_u64..40).prop_map(|millis| Fact::Time(Duration::from_millis(millis))),
        1 => Just(Fact::TerminateRefused),
        1 => Just(Fact::Stop),
        1 => Just(Fact::LeaderExits),
        1 => Just(Fact::MemberExits),
        2 => Just(Fact::Notice),
        1 => Just(Fact::Steal),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn long_sequences_keep_the_laws(
        setting in prop::sample::select(Setting::all()),
        facts in prop::collection::vec(fact(), 0..60)
    ) {
        run(setting, &facts);
    }
}
