//! A model of the protocol around the table of owned children. It explores every interleaving of
//! two workers that start and reap children in one place of the table, a handler that ends the
//! process, a program that calls `end_owned_groups`, and a system that gives a freed number or
//! descriptor to a foreign process at once. A child leads a group with one more member. The member
//! may outlive the child, and a worker may still wait for it.
//!
//! All accesses are sequentially consistent, so interleavings cover every execution. loom treats
//! SeqCst as weaker and would report impossible executions. One place, one number and three
//! children are enough, because a worker's second child finds the place and the number as the first
//! child left them, and so does the other worker's child. The model must be able to fail: a test
//! for each omitted step shows the harm.

use std::collections::HashSet;

/// A step that is left out of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OmittedStep {
    Nothing,
    /// The worker does not wait for an act before it reaps.
    WaitBeforeReap,
    /// An act does not wait for the number of a child that is starting.
    WaitForNumber,
    /// A worker checks *dying* before it claims its place, and not after.
    LookAfterClaim,
    /// A worker does not check *dying*.
    Look,
    /// A worker that sees *dying* keeps its place.
    GivingUp,
    /// A worker checks *dying* instead of the count of acts.
    CountOfActs,
    /// A worker does not wait for an act before it closes the pidfd.
    WaitBeforeClose,
    /// The place is given back at the reap, although a worker still waits for the group.
    PlaceOfTheGroup,
    /// An act uses the number of a group whose leader is reaped.
    PidfdOfTheGroup,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum NumberOwner {
    Free,
    /// A running child of worker 0 or 1.
    Child(usize),
    /// The same child, ended but not reaped.
    Zombie(usize),
    /// The number of a group whose leader is reaped while a member lives.
    Group,
    Stranger,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum PlaceState {
    Free,
    Starting,
    Running,
    /// Only the pidfd may be used.
    Left,
}

/// The owner of the pidfd's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum PidfdOwner {
    None,
    Open,
    /// It was closed and opened again for another purpose.
    Strangers,
}

/// The next step of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum WorkerStep {
    Claim,
    /// The worker has checked *dying*, and it was not set.
    LookedFirst,
    Look,
    Clone,
    /// The kernel writes the number before the child's first instruction.
    WriteNumber,
    Settle,
    End,
    Clear,
    Wait,
    Reap,
    /// The worker leaves the place to the group.
    Leave,
    WaitToLeave,
    ReapLeader,
    /// The worker waits for the group, whose members are to end with the program.
    Held,
    WaitToClose,
    Close,
    Release,
    /// The worker saw that the program is dying.
    Parked,
}

impl WorkerStep {
    fn is_wait(self) -> bool {
        matches!(self, Self::Wait | Self::WaitToLeave | Self::WaitToClose)
    }
}

/// The next step of an act, which ends all owned groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ActStep {
    Idle,
    Count,
    ReadState,
    ReadNumber(PlaceState),
    Kill,
    KillGroup,
    Done,
    /// The act returns to the program, which then goes on.
    Returned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ModelState {
    place: PlaceState,
    /// Whether the place holds the number.
    number_is_known: bool,
    dying: bool,
    acting: u8,
    number: NumberOwner,
    /// Whether a member of the child's group lives.
    member: bool,
    pidfd: PidfdOwner,
    workers: [(WorkerStep, u8); 2],
    /// The act of the handler, and the act of the program's own call.
    acts: [ActStep; 2],
}

const HANDLER: usize = 0;
const ROUNDS: u8 = 2;

const START: ModelState = ModelState {
    place: PlaceState::Free,
    number_is_known: false,
    dying: false,
    acting: 0,
    number: NumberOwner::Free,
    member: false,
    pidfd: PidfdOwner::None,
    workers: [(WorkerStep::Claim, 0); 2],
    acts: [ActStep::Idle; 2],
};

/// The violations that some interleaving causes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Violations {
    stranger_killed: bool,
    survivor: bool,
    /// The act waits for a number that never comes. The real code gives up after a second.
    stuck: bool,
    /// After `end_owned_groups` has returned, a child of this process cannot be reaped.
    never_reaped: bool,
}

impl ModelState {
    /// Adds the states that one step of a worker leads to.
    fn worker_steps(self, index: usize, without: OmittedStep, next: &mut Vec<Self>) {
        let (at, round) = self.workers[index];
        let mut to = self;
        let go = |to: &mut Self, at: WorkerStep| to.workers[index].0 = at;
        match at {
            WorkerStep::Claim if without == OmittedStep::LookAfterClaim => {
                if round == ROUNDS || self.dying {
                    return;
                }
                go(&mut to, WorkerStep::LookedFirst);
            }
            WorkerStep::Claim | WorkerStep::LookedFirst => {
                if self.place != PlaceState::Free || round == ROUNDS {
                    return;
                }
                to.place = PlaceState::Starting;
                let is_blind = matches!(without, OmittedStep::Look | OmittedStep::LookAfterClaim);
                go(&mut to, if is_blind { WorkerStep::Clone } else { WorkerStep::Look });
            }
            WorkerStep::Look if self.dying => {
                if without != OmittedStep::GivingUp {
                    to.place = PlaceState::Free;
                }
                go(&mut to, WorkerStep::Parked);
            }
            WorkerStep::Look => go(&mut to, WorkerStep::Clone),
            WorkerStep::Clone => {
                if self.number != NumberOwner::Free {
                    return;
                }
                to.number = NumberOwner::Child(index);
                to.member = true;
                to.pidfd = PidfdOwner::Open;
                go(&mut to, WorkerStep::WriteNumber);
            }
            WorkerStep::WriteNumber => {
                to.number_is_known = true;
                go(&mut to, WorkerStep::Settle);
            }
            WorkerStep::Settle => {
                to.place = PlaceState::Running;
                go(&mut to, WorkerStep::End);
            }
            // The child ends by itself, or by a KILL that was sent before.
            WorkerStep::End => {
                to.number = NumberOwner::Zombie(index);
                go(&mut to, WorkerStep::Leave);
                next.push(to);
                go(&mut to, WorkerStep::Clear);
            }
            WorkerStep::Leave => {
                if without == OmittedStep::PlaceOfTheGroup {
                    to.number_is_known = false;
                }
                to.place = PlaceState::Left;
                go(&mut to, WorkerStep::WaitToLeave);
            }
            WorkerStep::WaitToLeave => {
                if self.waits(without) {
                    return;
                }
                go(&mut to, WorkerStep::ReapLeader);
            }
            WorkerStep::ReapLeader => {
                to.number = self.number_after_the_reap();
                go(&mut to, WorkerStep::Held);
            }
            WorkerStep::Held => {
                to.number_is_known = false;
                go(&mut to, WorkerStep::WaitToClose);
            }
            WorkerStep::WaitToClose => {
                if without != OmittedStep::WaitBeforeClose && self.waits(without) {
                    return;
                }
                go(&mut to, WorkerStep::Close);
            }
            WorkerStep::Close => {
                to.pidfd = PidfdOwner::Strangers;
                go(&mut to, WorkerStep::Release);
            }
            WorkerStep::Clear => {
                to.number_is_known = false;
                go(&mut to, WorkerStep::Wait);
            }
            WorkerStep::Wait => {
                if self.waits(without) {
                    return;
                }
                go(&mut to, WorkerStep::Reap);
            }
            WorkerStep::Reap => {
                to.number = self.number_after_the_reap();
                to.pidfd = PidfdOwner::Strangers;
                go(&mut to, WorkerStep::Release);
            }
            WorkerStep::Release => {
                to.place = PlaceState::Free;
                to.pidfd = PidfdOwner::None;
                to.workers[index] = (WorkerStep::Claim, round + 1);
            }
            WorkerStep::Parked => return,
        }
        next.push(to);
    }

    fn act_steps(
        self,
        index: usize,
        without: OmittedStep,
        violations: &mut Violations,
        next: &mut Vec<Self>,
    ) {
        let mut to = self;
        to.acts[index] = match self.acts[index] {
            ActStep::Idle => {
                to.dying = true;
                ActStep::Count
            }
            ActStep::Count => {
                to.acting += 1;
                ActStep::ReadState
            }
            ActStep::ReadState => ActStep::ReadNumber(self.place),
            ActStep::ReadNumber(PlaceState::Free) => ActStep::Done,
            ActStep::ReadNumber(PlaceState::Left)
                if self.number_is_known && without != OmittedStep::PidfdOfTheGroup =>
            {
                ActStep::KillGroup
            }
            ActStep::ReadNumber(_) if self.number_is_known => ActStep::Kill,
            ActStep::ReadNumber(PlaceState::Starting) if without != OmittedStep::WaitForNumber => {
                // A worker is about to write the number, or the place is free again.
                let comes = |(at, _): (WorkerStep, u8)| {
                    matches!(at, WorkerStep::Look | WorkerStep::Clone | WorkerStep::WriteNumber)
                };
                violations.stuck |=
                    self.place == PlaceState::Starting && !self.workers.into_iter().any(comes);
                ActStep::ReadState
            }
            ActStep::ReadNumber(_) => ActStep::Done,
            ActStep::Kill => {
                violations.stranger_killed |= self.number == NumberOwner::Stranger;
                if let NumberOwner::Child(worker) = self.number {
                    to.number = NumberOwner::Zombie(worker);
                }
                to.kill_member();
                ActStep::Done
            }
            ActStep::KillGroup => {
                violations.stranger_killed |= self.pidfd == PidfdOwner::Strangers;
                if self.pidfd == PidfdOwner::Open {
                    to.kill_member();
                }
                ActStep::Done
            }
            ActStep::Done => {
                violations.survivor |= matches!(self.number, NumberOwner::Child(_));
                violations.survivor |= self.member && self.is_waited_for();
                if index == HANDLER {
                    return; // the program is gone
                }
                to.acting -= 1;
                ActStep::Returned
            }
            ActStep::Returned => return,
        };
        next.push(to);
    }

    fn waits(self, without: OmittedStep) -> bool {
        match without {
            OmittedStep::WaitBeforeReap => false,
            OmittedStep::CountOfActs => self.dying,
            _ => self.acting > 0,
        }
    }

    /// The kernel does not give a number to another process while a group has it.
    fn number_after_the_reap(self) -> NumberOwner {
        if self.member { NumberOwner::Group } else { NumberOwner::Free }
    }

    fn kill_member(&mut self) {
        if self.number != NumberOwner::Stranger {
            self.member = false;
        }
        if self.number == NumberOwner::Group {
            self.number = NumberOwner::Free;
        }
    }

    /// Returns whether the leader is reaped or about to be reaped, and a worker still waits for the
    /// group.
    fn is_waited_for(self) -> bool {
        let waits = |at: WorkerStep| {
            matches!(at, WorkerStep::WaitToLeave | WorkerStep::ReapLeader | WorkerStep::Held)
        };
        self.workers.into_iter().any(|(at, _)| waits(at))
    }

    fn system_steps(self, next: &mut Vec<Self>) {
        if self.member {
            let mut ended = self;
            ended.kill_member();
            next.push(ended);
        }
        match self.number {
            NumberOwner::Free => next.push(Self { number: NumberOwner::Stranger, ..self }),
            NumberOwner::Stranger => next.push(Self { number: NumberOwner::Free, ..self }),
            NumberOwner::Child(_) | NumberOwner::Zombie(_) | NumberOwner::Group => {}
        }
    }

    /// Returns whether the program can reap after a call of `end_owned_groups` that has returned.
    fn can_reap(self) -> bool {
        let waits = self.workers.into_iter().any(|(at, _)| at.is_wait());
        let only_returned = self.acts == [ActStep::Idle, ActStep::Returned];
        !(waits && only_returned)
    }
}

/// Explores every state. Returns their count and the violations. `acts` names the acts that may
/// happen.
fn explore(without: OmittedStep, acts: &[usize]) -> (usize, Violations) {
    let mut seen = HashSet::from([START]);
    let mut open = vec![START];
    let mut violations = Violations::default();
    let mut next = Vec::new();
    while let Some(world) = open.pop() {
        for worker in 0..2 {
            let before = next.len();
            world.worker_steps(worker, without, &mut next);
            if world.workers[worker].0.is_wait() && next.len() == before {
                violations.never_reaped |= !world.can_reap();
            }
        }
        for &act in acts {
            world.act_steps(act, without, &mut violations, &mut next);
        }
        world.system_steps(&mut next);
        open.extend(next.drain(..).filter(|world| seen.insert(*world)));
    }
    (seen.len(), violations)
}

#[test]
fn no_interleaving_leaves_a_child_or_hits_a_stranger() {
    for acts in [&[HANDLER][..], &[1], &[HANDLER, 1]] {
        let (states, violations) = explore(OmittedStep::Nothing, acts);
        assert_eq!(violations, Violations::default(), "{acts:?}");
        assert!(states > 1000, "{states} states of {acts:?}");
    }
}

#[test]
fn a_reap_that_waits_for_no_act_lets_a_stranger_be_hit() {
    let (_, violations) = explore(OmittedStep::WaitBeforeReap, &[HANDLER]);
    assert_eq!(violations, Violations { stranger_killed: true, ..Violations::default() });
}

/// Case OL-17.
#[test]
fn a_close_that_waits_for_no_act_lets_a_stranger_be_hit() {
    let (_, violations) = explore(OmittedStep::WaitBeforeClose, &[HANDLER]);
    assert_eq!(violations, Violations { stranger_killed: true, ..Violations::default() });
}

/// Case OL-17.
#[test]
fn a_place_that_is_given_back_with_the_leader_leaves_its_group() {
    let (_, violations) = explore(OmittedStep::PlaceOfTheGroup, &[HANDLER]);
    assert_eq!(violations, Violations { survivor: true, ..Violations::default() });
}

/// Case OL-17.
#[test]
fn the_number_of_a_group_that_its_leader_has_left_may_be_a_strangers() {
    let (_, violations) = explore(OmittedStep::PidfdOfTheGroup, &[HANDLER]);
    assert_eq!(violations, Violations { stranger_killed: true, ..Violations::default() });
}

#[test]
fn an_act_that_waits_for_no_number_leaves_a_child() {
    let (_, violations) = explore(OmittedStep::WaitForNumber, &[HANDLER]);
    assert_eq!(violations, Violations { survivor: true, ..Violations::default() });
}

#[test]
fn a_spawner_that_looks_before_it_claims_leaves_a_child() {
    for without in [OmittedStep::LookAfterClaim, OmittedStep::Look] {
        let (_, violations) = explore(without, &[HANDLER]);
        assert!(violations.survivor && !violations.stranger_killed, "{without:?}: {violations:?}");
    }
}

#[test]
fn a_spawner_that_keeps_its_place_holds_the_act_up() {
    let (_, violations) = explore(OmittedStep::GivingUp, &[HANDLER]);
    assert_eq!(violations, Violations { stuck: true, ..Violations::default() });
}

#[test]
fn a_reap_that_looks_at_dying_never_happens_after_an_act_that_returned() {
    let (_, violations) = explore(OmittedStep::CountOfActs, &[1]);
    assert_eq!(violations, Violations { never_reaped: true, ..Violations::default() });
}
