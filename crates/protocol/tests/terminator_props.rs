//! The terminator against a small system: a leader and a member of its group that obey signals or
//! ignore them, are stopped, end and are reaped, while calls, time and the loop's end come between.
//!
//! Every sequence of few facts is tried, and random long ones.

use procession_core::Signal;
use procession_protocol::{
    GroupState, TerminationOutcome, TerminationScope, TerminationStep, Terminator,
};
use proptest::prelude::*;
use std::time::Duration;

const GRACE: Duration = Duration::from_millis(50);

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
    /// The driver looks whether the leader has ended, and reaps it.
    Reap,
    /// So much time passes, and the driver's timer fires if it is due.
    Time(Duration),
    /// The loop goes away.
    Gone,
}

/// The facts of which every sequence is tried.
const FACTS: [Fact; 10] = [
    Fact::Terminate(GRACE),
    Fact::Terminate(Duration::ZERO),
    Fact::TerminateRefused,
    Fact::Stop,
    Fact::LeaderExits,
    Fact::MemberExits,
    Fact::Reap,
    Fact::Time(Duration::from_millis(2)),
    Fact::Time(GRACE),
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

/// One process of the system.
#[derive(Debug, Clone, Copy)]
struct Member {
    life: Life,
    obeys: bool,
}

impl Member {
    fn new(obeys: bool) -> Self {
        Self { life: Life::Running, obeys }
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
        match (signal, self.life) {
            (_, Life::Zombie | Life::Reaped) => {}
            (Signal::KILL, _) | (Signal::CONT, Life::Doomed) => self.exit(),
            (Signal::CONT, _) => self.life = Life::Running,
            (_, Life::Stopped) if self.obeys => self.life = Life::Doomed,
            (_, Life::Running) if self.obeys => self.exit(),
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
    kills: usize,
    member_kills: usize,
}

/// The kinds of a child: the scope, whether leader and member obey, whether the member is there, and
/// whether the group can be signalled after the reap.
#[derive(Debug, Clone, Copy)]
struct Setting {
    scope: TerminationScope,
    leader_obeys: bool,
    member_obeys: bool,
    has_member: bool,
    group_survives: bool,
}

impl Setting {
    fn all() -> Vec<Self> {
        let flags = |bits: u8, nth: u8| bits >> nth & 1 == 1;
        let groups = (0..16).map(|bits| Self {
            scope: TerminationScope::Group,
            leader_obeys: flags(bits, 0),
            member_obeys: flags(bits, 1),
            has_member: flags(bits, 2),
            group_survives: flags(bits, 3),
        });
        let children = [false, true].map(|leader_obeys| Self {
            scope: TerminationScope::Child,
            leader_obeys,
            member_obeys: true,
            has_member: true,
            group_survives: true,
        });
        groups.chain(children).collect()
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
            leader: Member::new(setting.leader_obeys),
            member: setting.has_member.then(|| Member::new(setting.member_obeys)),
            refuses: false,
            gone: false,
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

    /// As kill(2) has it: a zombie that nobody reaped is a member; the other one's parent reaps it.
    fn has_members(&self) -> bool {
        !self.is_reaped() || self.member.is_some_and(Member::is_alive)
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
            Fact::Reap => self.reap(),
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
                kills: 0,
                member_kills: 0,
            });
        }
        let stopped = self.leader.life == Life::Stopped;
        let before = self.sent.len();
        self.terminator.on_terminate(Signal::TERM, grace, self.now);
        self.act();
        let sent = &self.sent[before..];
        if joins {
            assert!(!sent.contains(&Signal::TERM), "the signal of a joining call");
            assert!(self.phase.is_none_or(|phase| phase.kills == 1), "a joining call kills");
        } else if sent.first() == Some(&Signal::TERM) {
            assert_eq!(sent.get(1), Some(&Signal::CONT));
            if stopped && self.leader.obeys {
                assert!(!self.leader.is_alive(), "a stopped child ends as one that runs");
            }
        } else {
            assert_eq!((sent, self.waiting), (&[][..], 0), "refused, or too late");
        }
        self.refuses = false;
    }

    fn reap(&mut self) {
        if self.gone || self.leader.life != Life::Zombie {
            return;
        }
        if !self.setting.group_survives && self.terminator.is_under_way() {
            self.terminator.on_group_slips_away();
            self.act();
            assert!(!self.is_group() || !self.member.is_some_and(Member::is_alive));
        }
        self.leader.life = Life::Reaped;
        self.terminator.on_reaped(self.now);
        self.act();
        assert_eq!(self.waiting, 0, "the reap settles every call");
        if !self.is_group() {
            assert!(!self.terminator.is_under_way());
        }
    }

    fn pass(&mut self, passed: Duration) {
        let until = self.now + passed;
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
    }

    fn lose_the_loop(&mut self) {
        self.gone = true;
        let is_due = self.terminator.is_under_way() && self.is_reaped();
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
                TerminationStep::Kill => {
                    let now = self.now;
                    let phase = self.phase.as_mut().expect("a termination kills");
                    phase.kills += 1;
                    assert_eq!(phase.kills, 1, "one KILL a termination");
                    assert!(phase.hurried || now >= phase.deadline, "not before the grace is over");
                    self.send(Signal::KILL);
                }
                TerminationStep::KillMembers => {
                    let phase = self.phase.as_mut().expect("a termination kills");
                    phase.member_kills += 1;
                    assert_eq!((phase.kills, phase.member_kills), (0, 1));
                    assert!(self.is_group() && self.leader.life == Life::Zombie);
                    self.send(Signal::KILL);
                }
                TerminationStep::LookAtGroup => {
                    assert!(self.is_group() && self.is_reaped() && !self.known_empty);
                    let state = match (self.setting.group_survives, self.has_members()) {
                        (false, _) => GroupState::Unknown,
                        (true, true) => GroupState::Alive,
                        (true, false) => GroupState::Empty,
                    };
                    self.known_empty |= state == GroupState::Empty;
                    self.terminator.on_group(state, self.now);
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

    fn can_be_signalled(&self) -> bool {
        match self.setting.scope {
            TerminationScope::Group if self.is_reaped() => {
                self.setting.group_survives && self.has_members()
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
            TerminationOutcome::Ended { escalated, after } => {
                assert_eq!(escalated, phase.kills > 0);
                assert_eq!(after, self.now - phase.since);
                assert!(self.is_reaped());
            }
            TerminationOutcome::Refused => {
                assert!(!self.terminator.is_under_way() && phase.kills == 0);
            }
            TerminationOutcome::TooLate => {
                assert!(self.is_reaped() && (self.known_empty || !self.is_group()));
            }
            outcome => assert!(self.gone, "{outcome:?}"),
        }
    }

    /// The timer is for the KILL, or for a look before it.
    fn check_deadline(&self) {
        let due = self.terminator.poll_deadline();
        if !self.terminator.is_under_way() {
            return assert_eq!(due, None);
        }
        let phase = self.phase.expect("one is under way");
        assert_eq!(due.is_none(), phase.kills > 0, "what was not killed has a deadline");
        match due {
            Some(due) if self.is_reaped() => assert!(due <= phase.deadline),
            Some(due) => assert_eq!(due, phase.deadline),
            None => assert!(!self.is_reaped(), "a group that was killed is not waited for"),
        }
    }

    /// Time and the reap come at last: every call is settled, once.
    fn come_to_the_end(&mut self) {
        self.pass(GRACE);
        if let Some(phase) = self.phase
            && self.terminator.is_under_way()
            && !self.gone
            && self.now >= phase.deadline
        {
            assert!(!self.leader.is_alive(), "what outlives the grace is killed");
        }
        self.leader.exit();
        self.happen(Fact::Reap);
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

#[test]
fn every_sequence_of_up_to_four_facts_keeps_the_laws() {
    let mut sequences: Vec<Vec<Fact>> = vec![Vec::new()];
    for _ in 0..=4 {
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
        2 => Just(Fact::Reap),
    ]
}

/// What a driver may tell without sense or order.
#[derive(Debug, Clone, Copy)]
enum Input {
    Terminate(Duration),
    Refused,
    SlipsAway,
    Reaped,
    Group(GroupState),
    Time(Duration),
    Gone,
    PollStep,
    PollOutcome,
}

fn input() -> impl Strategy<Value = Input> {
    let time = || prop::sample::select(vec![Duration::ZERO, GRACE, GRACE * 3, Duration::MAX]);
    let states = vec![GroupState::Alive, GroupState::Empty, GroupState::Unknown];
    prop_oneof![
        3 => time().prop_map(Input::Terminate),
        1 => Just(Input::Refused),
        1 => Just(Input::SlipsAway),
        1 => Just(Input::Reaped),
        1 => prop::sample::select(states).prop_map(Input::Group),
        2 => time().prop_map(Input::Time),
        1 => Just(Input::Gone),
        4 => Just(Input::PollStep),
        1 => Just(Input::PollOutcome),
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

    #[test]
    fn facts_without_sense_or_order_do_no_harm(
        scope in prop::sample::select(vec![TerminationScope::Child, TerminationScope::Group]),
        inputs in prop::collection::vec(input(), 0..60)
    ) {
        let mut terminator = Terminator::new(scope);
        let (mut now, mut reaped, mut empty) = (Duration::ZERO, false, false);
        for input in inputs {
            match input {
                Input::Terminate(grace) => terminator.on_terminate(Signal::TERM, grace, now),
                Input::Refused => terminator.on_refused(),
                Input::SlipsAway => terminator.on_group_slips_away(),
                Input::Reaped => {
                    terminator.on_reaped(now);
                    reaped = true;
                }
                Input::Group(state) => {
                    terminator.on_group(state, now);
                    empty |= reaped && state == GroupState::Empty;
                }
                Input::Time(passed) => {
                    now = now.saturating_add(passed);
                    terminator.on_time(now);
                }
                Input::Gone => terminator.on_gone(),
                Input::PollStep => {
                    let step = terminator.poll_step();
                    let is_over = empty || (reaped && scope == TerminationScope::Child);
                    prop_assert!(step.is_none() || !is_over, "{step:?}");
                }
                Input::PollOutcome => drop(terminator.poll_outcome()),
            }
            prop_assert!(terminator.is_under_way() || terminator.poll_deadline().is_none());
        }
        // As many steps as were asked for, and no more.
        prop_assert!(std::iter::from_fn(|| terminator.poll_step()).take(1000).count() < 1000);
    }
}
