//! The terminator against a small system: a leader and a member of its group that obey signals or
//! ignore them, are stopped, end and are reaped, while calls, time and the loop's end come between.
//!
//! Every sequence of few facts is tried, and random long ones.

use procession_core::Signal;
use procession_protocol::driver::{
    GroupState, TerminationOutcome, TerminationScope, TerminationStep, Terminator,
};
use proptest::prelude::*;
use std::time::Duration;

/// As long as the longest time between two looks.
const GRACE: Duration = Duration::from_millis(50);
/// For how long a group that was killed is looked at.
const SECOND: Duration = Duration::from_secs(1);

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fact {
    /// A call, whose signal the kernel takes.
    Terminate(Duration),
    /// A call whose signal the kernel refuses.
    TerminateRefused,
    /// The leader is stopped.
    Stop,
    LeaderExits,
    MemberExits,
    /// The driver looks whether the leader has ended, and reaps it unless it is to be kept.
    Notice,
    /// Somebody else reaps the leader, and the driver notices.
    Steal,
    /// So much time passes, and the driver's timer fires if it is due.
    Time(Duration),
    /// The loop goes away.
    Gone,
}

/// The facts of which every sequence is tried.
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
enum Life {
    Running,
    Stopped,
    /// Stopped, with a signal that will end it when it is continued.
    Doomed,
    Zombie,
    Reaped,
}

/// What a process does about signals.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Obeys,
    /// Only KILL ends it.
    Deaf,
    /// It is somebody else's: no signal arrives.
    Immune,
}

/// One process of the system.
#[derive(Debug, Clone, Copy)]
struct Member {
    life: Life,
    kind: Kind,
}

impl Member {
    fn new(kind: Kind) -> Self {
        Self { life: Life::Running, kind }
    }

    fn is_alive(self) -> bool {
        !matches!(self.life, Life::Zombie | Life::Reaped)
    }

    fn exit(&mut self) {
        if self.is_alive() {
            self.life = Life::Zombie;
        }
    }

    fn receive(&mut self, signal: Signal) {
        let obeys = self.kind == Kind::Obeys;
        match (signal, self.life) {
            _ if self.kind == Kind::Immune => {}
            (_, Life::Zombie | Life::Reaped) => {}
            (Signal::KILL, _) | (Signal::CONT, Life::Doomed) => self.exit(),
            (Signal::CONT, _) => self.life = Life::Running,
            (_, Life::Stopped) if obeys => self.life = Life::Doomed,
            (_, Life::Running) if obeys => self.exit(),
            _ => {}
        }
    }
}

/// What the laws need to know of the termination that is under way.
#[derive(Debug, Clone, Copy)]
struct Phase {
    since: Duration,
    /// When KILL may come by time alone.
    deadline: Duration,
    /// A second call, a grace of zero or the loop's end: KILL may come before that.
    hurried: bool,
    /// When KILL was sent.
    killed: Option<Duration>,
}

/// The kinds of a child: the scope, what leader and member are, whether the group can be looked at,
/// and whether it can be signalled after the reap.
#[derive(Debug, Clone, Copy)]
struct Setting {
    scope: TerminationScope,
    leader: Kind,
    member: Option<Kind>,
    readable: bool,
    survives: bool,
}

impl Setting {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for leader in [Kind::Obeys, Kind::Deaf, Kind::Immune] {
            let members = [None, Some(Kind::Obeys), Some(Kind::Deaf), Some(Kind::Immune)];
            for member in members {
                for (readable, survives) in
                    [(true, true), (true, false), (false, true), (false, false)]
                {
                    let scope = TerminationScope::Group;
                    all.push(Self { scope, leader, member, readable, survives });
                }
            }
            let scope = TerminationScope::Child;
            let member = Some(Kind::Obeys);
            all.push(Self { scope, leader, member, readable: true, survives: true });
        }
        all
    }
}

/// The system, with a driver that checks the laws at each step.
struct World {
    terminator: Terminator,
    setting: Setting,
    now: Duration,
    leader: Member,
    member: Option<Member>,
    /// The next signal that is not CONT or KILL is refused.
    refuses: bool,
    gone: bool,
    /// The driver knows that the leader has ended.
    noticed: bool,
    /// A look found the group empty.
    known_empty: bool,
    phase: Option<Phase>,
    /// The calls that wait.
    waiting: usize,
    calls: usize,
    settled: usize,
    /// All that was sent.
    sent: Vec<Signal>,
}

impl World {
    fn new(setting: Setting) -> Self {
        Self {
            terminator: Terminator::new(setting.scope),
            setting,
            now: Duration::from_secs(1),
            leader: Member::new(setting.leader),
            member: setting.member.map(Member::new),
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
        self.leader.life == Life::Reaped
    }

    fn is_group(&self) -> bool {
        self.setting.scope == TerminationScope::Group
    }

    fn is_member_alive(&self) -> bool {
        self.member.is_some_and(Member::is_alive)
    }

    fn is_empty(&self) -> bool {
        !self.leader.is_alive() && !self.is_member_alive()
    }

    fn happen(&mut self, fact: Fact) {
        match fact {
            Fact::Terminate(grace) => self.terminate(grace, false),
            Fact::TerminateRefused => self.terminate(GRACE, true),
            Fact::Stop if self.leader.life == Life::Running => self.leader.life = Life::Stopped,
            Fact::Stop => {}
            Fact::LeaderExits => self.leader.exit(),
            Fact::MemberExits => {
                self.member.as_mut().map(Member::exit);
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
            self.phase = Some(Phase {
                since: self.now,
                deadline: self.now.saturating_add(grace),
                hurried: grace.is_zero() || self.gone,
                killed: None,
            });
        }
        let stopped = self.leader.life == Life::Stopped;
        let before = self.sent.len();
        self.terminator.on_terminate(Signal::TERM, grace, self.now);
        self.act();
        let sent = &self.sent[before..];
        if joins {
            assert!(!sent.contains(&Signal::TERM), "the signal of a joining call");
            assert!(self.phase.is_none_or(|phase| phase.killed.is_some()), "it kills");
        } else if sent.first() == Some(&Signal::TERM) {
            assert_eq!(sent.get(1), Some(&Signal::CONT));
            if stopped && self.leader.kind == Kind::Obeys {
                assert!(!self.leader.is_alive(), "a stopped child ends as one that runs");
            }
        } else {
            assert_eq!((sent, self.waiting), (&[][..], 0), "refused, or too late");
        }
        self.refuses = false;
    }

    fn notice(&mut self) {
        if self.gone || self.leader.life != Life::Zombie {
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
        self.leader.life = Life::Reaped;
        self.terminator.on_reaped(self.now);
    }

    fn steal(&mut self) {
        if self.leader.life == Life::Zombie {
            self.leader.life = Life::Reaped;
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
        // Early, late and repeated calls change nothing.
        self.terminator.on_time(self.now);
        self.act();
        if self.is_group() {
            let killed = self.phase.and_then(|phase| phase.killed);
            if killed.is_some_and(|killed| killed + SECOND <= self.now) {
                assert_eq!(self.waiting, 0, "a second after KILL at most");
            }
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

    /// Carries out what is due, as a driver does.
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
                    assert!(self.is_group() && self.leader.life == Life::Zombie);
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
                    assert!(self.is_group() && (is_late || blind || self.gone));
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

    /// The timer is for the KILL, for a look, or for the end of the looks.
    fn check_deadline(&self) {
        let due = self.terminator.poll_deadline();
        if !self.terminator.is_under_way() {
            return assert_eq!(due, None);
        }
        let phase = self.phase.expect("one is under way");
        let last = match phase.killed {
            None => Some(phase.deadline),
            Some(killed) => self.is_group().then(|| killed + SECOND),
        };
        match due {
            Some(due) if self.noticed => assert!(last.is_some_and(|last| due <= last)),
            due => assert_eq!(due, last),
        }
    }

    /// Time and the end come at last: every call is settled, once.
    fn come_to_the_end(&mut self) {
        self.pass(GRACE);
        if let Some(phase) = self.phase
            && self.terminator.is_under_way()
            && !self.gone
            && self.now >= phase.deadline
            && self.leader.kind != Kind::Immune
        {
            assert!(!self.leader.is_alive(), "what outlives the grace is killed");
        }
        self.leader.exit();
        self.member.as_mut().map(Member::exit);
        self.happen(Fact::Notice);
        self.happen(Fact::Time(GRACE));
        self.happen(Fact::Gone);
        assert_eq!((self.settled, self.waiting), (self.calls, 0));
        assert_eq!((self.terminator.poll_step(), self.terminator.poll_outcome()), (None, None));
    }
}

fn run(setting: Setting, facts: &[Fact]) {
    let mut world = World::new(setting);
    for fact in facts {
        world.happen(*fact);
    }
    world.come_to_the_end();
}

/// Names what is tried when a law fails.
struct Tried<'a>(Setting, &'a [Fact]);

impl Drop for Tried<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}: {:?}", self.0, self.1);
        }
    }
}

/// How many facts a sequence has at most.
const DEPTH: usize = 4;

#[test]
fn every_sequence_of_few_facts_keeps_the_laws() {
    let mut sequences: Vec<Vec<Fact>> = vec![Vec::new()];
    for _ in 0..=DEPTH {
        for sequence in &sequences {
            for setting in Setting::all() {
                let _tried = Tried(setting, sequence);
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
