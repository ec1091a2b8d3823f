//! The protocol of the table of owned children: every interleaving of two workers that start and reap
//! children in one place, a handler that ends the process, a program that calls `end_owned_groups`,
//! and a system that gives a freed number, or descriptor, to a stranger at once. A child leads a group
//! of one more, which may outlive it, and which a worker may go on waiting for.
//!
//! The accesses are all sequentially consistent, so interleavings are all there is; loom takes SeqCst
//! for less and would report what cannot happen. A place, one number and three children are enough: a
//! worker's second child, and the other's, find the place and the number as the first has left them.
//! The model must also be able to fail: each step that is left out does harm.

use std::collections::HashSet;

/// What is left out of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// A remover does not wait for an act before it reaps.
    WaitBeforeReap,
    /// An act does not wait for the number of a child that is starting.
    WaitForNumber,
    /// A spawner looks at *dying* before it takes its place, and not after.
    LookAfterClaim,
    /// A spawner does not look at *dying*.
    Look,
    /// A spawner that sees *dying* keeps its place.
    GivingUp,
    /// A remover looks at *dying* where it should count acts.
    CountOfActs,
    /// A remover does not wait for an act before it closes the pidfd.
    WaitBeforeClose,
    /// A place is given back at the reap, whoever waits for the group.
    PlaceOfTheGroup,
    /// An act uses the number of a group that its leader has left.
    PidfdOfTheGroup,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Number {
    Free,
    /// A child that runs, of worker 0 or 1.
    Child(usize),
    /// The same, not reaped.
    Zombie(usize),
    /// That of a group whose leader is reaped: a member lives.
    Group,
    Stranger,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Free,
    Starting,
    Running,
    /// The pidfd alone is used.
    Left,
}

/// What the pidfd's number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Pidfd {
    None,
    Open,
    /// It was closed, and is open again for somebody else.
    Strangers,
}

/// Where a worker is: what it does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Worker {
    Claim,
    /// It has looked, and nobody was dying.
    LookedFirst,
    Look,
    Clone,
    /// The kernel's write, before the child's first instruction.
    Number,
    Settle,
    End,
    Clear,
    Wait,
    Reap,
    /// Leaves the place to the group.
    Leave,
    WaitToLeave,
    ReapLeader,
    /// It waits for the group: what is left of it is to end with the program.
    Held,
    WaitToClose,
    Close,
    Release,
    /// It saw that the program is dying.
    Parked,
}

impl Worker {
    fn is_wait(self) -> bool {
        matches!(self, Self::Wait | Self::WaitToLeave | Self::WaitToClose)
    }
}

/// Where an act is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Act {
    Idle,
    Count,
    ReadState,
    ReadNumber(Place),
    Kill,
    KillGroup,
    Done,
    /// It does not go on to the end of the program.
    Returned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct World {
    place: Place,
    /// Whether the number is in the place.
    number_is_known: bool,
    dying: bool,
    acting: u8,
    number: Number,
    /// A member of the child's group lives.
    member: bool,
    pidfd: Pidfd,
    workers: [(Worker, u8); 2],
    /// That of the handler, and that of the program's own call.
    acts: [Act; 2],
}

const HANDLER: usize = 0;
const ROUNDS: u8 = 2;

const START: World = World {
    place: Place::Free,
    number_is_known: false,
    dying: false,
    acting: 0,
    number: Number::Free,
    member: false,
    pidfd: Pidfd::None,
    workers: [(Worker::Claim, 0); 2],
    acts: [Act::Idle; 2],
};

/// What went wrong, in some interleaving.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Harm {
    stranger_killed: bool,
    survivor: bool,
    /// The act waits for a number that never comes: after a second it gives up.
    stuck: bool,
    /// After `end_owned_groups` has returned a child of this process cannot be reaped.
    never_reaped: bool,
}

impl World {
    /// The states that one step of a worker leads to.
    fn worker_steps(self, index: usize, without: Without, next: &mut Vec<Self>) {
        let (at, round) = self.workers[index];
        let mut to = self;
        let go = |to: &mut Self, at: Worker| to.workers[index].0 = at;
        match at {
            Worker::Claim if without == Without::LookAfterClaim => {
                if round == ROUNDS || self.dying {
                    return;
                }
                go(&mut to, Worker::LookedFirst);
            }
            Worker::Claim | Worker::LookedFirst => {
                if self.place != Place::Free || round == ROUNDS {
                    return;
                }
                to.place = Place::Starting;
                let is_blind = matches!(without, Without::Look | Without::LookAfterClaim);
                go(&mut to, if is_blind { Worker::Clone } else { Worker::Look });
            }
            Worker::Look if self.dying => {
                if without != Without::GivingUp {
                    to.place = Place::Free;
                }
                go(&mut to, Worker::Parked);
            }
            Worker::Look => go(&mut to, Worker::Clone),
            Worker::Clone => {
                if self.number != Number::Free {
                    return;
                }
                to.number = Number::Child(index);
                to.member = true;
                to.pidfd = Pidfd::Open;
                go(&mut to, Worker::Number);
            }
            Worker::Number => {
                to.number_is_known = true;
                go(&mut to, Worker::Settle);
            }
            Worker::Settle => {
                to.place = Place::Running;
                go(&mut to, Worker::End);
            }
            // By itself, or by a KILL that was sent before.
            Worker::End => {
                to.number = Number::Zombie(index);
                go(&mut to, Worker::Leave);
                next.push(to);
                go(&mut to, Worker::Clear);
            }
            Worker::Leave => {
                if without == Without::PlaceOfTheGroup {
                    to.number_is_known = false;
                }
                to.place = Place::Left;
                go(&mut to, Worker::WaitToLeave);
            }
            Worker::WaitToLeave => {
                if self.waits(without) {
                    return;
                }
                go(&mut to, Worker::ReapLeader);
            }
            Worker::ReapLeader => {
                to.number = self.number_after_the_reap();
                go(&mut to, Worker::Held);
            }
            Worker::Held => {
                to.number_is_known = false;
                go(&mut to, Worker::WaitToClose);
            }
            Worker::WaitToClose => {
                if without != Without::WaitBeforeClose && self.waits(without) {
                    return;
                }
                go(&mut to, Worker::Close);
            }
            Worker::Close => {
                to.pidfd = Pidfd::Strangers;
                go(&mut to, Worker::Release);
            }
            Worker::Clear => {
                to.number_is_known = false;
                go(&mut to, Worker::Wait);
            }
            Worker::Wait => {
                if self.waits(without) {
                    return;
                }
                go(&mut to, Worker::Reap);
            }
            Worker::Reap => {
                to.number = self.number_after_the_reap();
                to.pidfd = Pidfd::Strangers;
                go(&mut to, Worker::Release);
            }
            Worker::Release => {
                to.place = Place::Free;
                to.pidfd = Pidfd::None;
                to.workers[index] = (Worker::Claim, round + 1);
            }
            Worker::Parked => return,
        }
        next.push(to);
    }

    fn act_steps(self, index: usize, without: Without, harm: &mut Harm, next: &mut Vec<Self>) {
        let mut to = self;
        to.acts[index] = match self.acts[index] {
            Act::Idle => {
                to.dying = true;
                Act::Count
            }
            Act::Count => {
                to.acting += 1;
                Act::ReadState
            }
            Act::ReadState => Act::ReadNumber(self.place),
            Act::ReadNumber(Place::Free) => Act::Done,
            Act::ReadNumber(Place::Left)
                if self.number_is_known && without != Without::PidfdOfTheGroup =>
            {
                Act::KillGroup
            }
            Act::ReadNumber(_) if self.number_is_known => Act::Kill,
            Act::ReadNumber(Place::Starting) if without != Without::WaitForNumber => {
                // Somebody is on the way to write it, or the place is free again.
                let comes = |(at, _): (Worker, u8)| {
                    matches!(at, Worker::Look | Worker::Clone | Worker::Number)
                };
                harm.stuck |= self.place == Place::Starting && !self.workers.into_iter().any(comes);
                Act::ReadState
            }
            Act::ReadNumber(_) => Act::Done,
            Act::Kill => {
                harm.stranger_killed |= self.number == Number::Stranger;
                if let Number::Child(worker) = self.number {
                    to.number = Number::Zombie(worker);
                }
                to.kill_member();
                Act::Done
            }
            Act::KillGroup => {
                harm.stranger_killed |= self.pidfd == Pidfd::Strangers;
                if self.pidfd == Pidfd::Open {
                    to.kill_member();
                }
                Act::Done
            }
            Act::Done => {
                harm.survivor |= matches!(self.number, Number::Child(_));
                harm.survivor |= self.member && self.is_waited_for();
                if index == HANDLER {
                    return; // the program is gone
                }
                to.acting -= 1;
                Act::Returned
            }
            Act::Returned => return,
        };
        next.push(to);
    }

    fn waits(self, without: Without) -> bool {
        match without {
            Without::WaitBeforeReap => false,
            Without::CountOfActs => self.dying,
            _ => self.acting > 0,
        }
    }

    /// The kernel gives a number to nobody else as long as it is that of a group.
    fn number_after_the_reap(self) -> Number {
        if self.member { Number::Group } else { Number::Free }
    }

    fn kill_member(&mut self) {
        if self.number != Number::Stranger {
            self.member = false;
        }
        if self.number == Number::Group {
            self.number = Number::Free;
        }
    }

    /// Its leader is, or is about to be, reaped, and what is left of the group is not let live.
    fn is_waited_for(self) -> bool {
        let waits =
            |at: Worker| matches!(at, Worker::WaitToLeave | Worker::ReapLeader | Worker::Held);
        self.workers.into_iter().any(|(at, _)| waits(at))
    }

    fn world_steps(self, next: &mut Vec<Self>) {
        if self.member {
            let mut ended = self;
            ended.kill_member();
            next.push(ended);
        }
        match self.number {
            Number::Free => next.push(Self { number: Number::Stranger, ..self }),
            Number::Stranger => next.push(Self { number: Number::Free, ..self }),
            Number::Child(_) | Number::Zombie(_) | Number::Group => {}
        }
    }

    /// With nothing but a call of `end_owned_groups` behind it the program can reap.
    fn can_reap(self) -> bool {
        let waits = self.workers.into_iter().any(|(at, _)| at.is_wait());
        let only_returned = self.acts == [Act::Idle, Act::Returned];
        !(waits && only_returned)
    }
}

/// Runs through everything, with the number of states; `acts` are those that may happen.
fn explore(without: Without, acts: &[usize]) -> (usize, Harm) {
    let mut seen = HashSet::from([START]);
    let mut open = vec![START];
    let mut harm = Harm::default();
    let mut next = Vec::new();
    while let Some(world) = open.pop() {
        for worker in 0..2 {
            let before = next.len();
            world.worker_steps(worker, without, &mut next);
            if world.workers[worker].0.is_wait() && next.len() == before {
                harm.never_reaped |= !world.can_reap();
            }
        }
        for &act in acts {
            world.act_steps(act, without, &mut harm, &mut next);
        }
        world.world_steps(&mut next);
        open.extend(next.drain(..).filter(|world| seen.insert(*world)));
    }
    (seen.len(), harm)
}

#[test]
fn no_interleaving_leaves_a_child_or_hits_a_stranger() {
    for acts in [&[HANDLER][..], &[1], &[HANDLER, 1]] {
        let (states, harm) = explore(Without::Nothing, acts);
        assert_eq!(harm, Harm::default(), "{acts:?}");
        assert!(states > 1000, "{states} states of {acts:?}");
    }
}

#[test]
fn a_reap_that_waits_for_no_act_lets_a_stranger_be_hit() {
    let (_, harm) = explore(Without::WaitBeforeReap, &[HANDLER]);
    assert_eq!(harm, Harm { stranger_killed: true, ..Harm::default() });
}

/// Case OL-17.
#[test]
fn a_close_that_waits_for_no_act_lets_a_stranger_be_hit() {
    let (_, harm) = explore(Without::WaitBeforeClose, &[HANDLER]);
    assert_eq!(harm, Harm { stranger_killed: true, ..Harm::default() });
}

/// Case OL-17.
#[test]
fn a_place_that_is_given_back_with_the_leader_leaves_its_group() {
    let (_, harm) = explore(Without::PlaceOfTheGroup, &[HANDLER]);
    assert_eq!(harm, Harm { survivor: true, ..Harm::default() });
}

/// Case OL-17.
#[test]
fn the_number_of_a_group_that_its_leader_has_left_may_be_a_strangers() {
    let (_, harm) = explore(Without::PidfdOfTheGroup, &[HANDLER]);
    assert_eq!(harm, Harm { stranger_killed: true, ..Harm::default() });
}

#[test]
fn an_act_that_waits_for_no_number_leaves_a_child() {
    let (_, harm) = explore(Without::WaitForNumber, &[HANDLER]);
    assert_eq!(harm, Harm { survivor: true, ..Harm::default() });
}

#[test]
fn a_spawner_that_looks_before_it_claims_leaves_a_child() {
    for without in [Without::LookAfterClaim, Without::Look] {
        let (_, harm) = explore(without, &[HANDLER]);
        assert!(harm.survivor && !harm.stranger_killed, "{without:?}: {harm:?}");
    }
}

#[test]
fn a_spawner_that_keeps_its_place_holds_the_act_up() {
    let (_, harm) = explore(Without::GivingUp, &[HANDLER]);
    assert_eq!(harm, Harm { stuck: true, ..Harm::default() });
}

#[test]
fn a_reap_that_looks_at_dying_never_happens_after_an_act_that_returned() {
    let (_, harm) = explore(Without::CountOfActs, &[1]);
    assert_eq!(harm, Harm { never_reaped: true, ..Harm::default() });
}
