//! Tests of the core: single rules by scripts, and its laws in every order of few facts.
//!
//! Length: the scripts and the enumeration share one model of the programs.

use std::collections::BTreeMap;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const A: ProgramId = 0;
const B: ProgramId = 1;

fn at(now: Duration) -> Moment {
    Moment { now, random: u32::MAX / 2 }
}

/// A life of a program, as the environment of the state sees it.
#[derive(Debug, Clone, Copy, Default)]
struct Life {
    started: bool,
    ready: bool,
    exited: bool,
    /// `Terminate` or `EndRest` has come.
    asked: bool,
    terminated: bool,
}

impl Life {
    fn is_over(self) -> bool {
        self.exited && self.terminated
    }
}

/// The state, the processes that it has started, and its laws.
#[derive(Clone)]
struct World {
    state: MonitorState,
    lives: BTreeMap<RunId, Life>,
    done: BTreeMap<ProgramId, bool>,
    now: Duration,
    is_stopping: bool,
    over: u32,
    reports: Vec<(ProgramId, Report)>,
}

impl World {
    fn new(programs: Vec<ProgramRules>) -> Self {
        let state = MonitorState::default();
        let mut world = Self {
            state,
            lives: BTreeMap::new(),
            done: BTreeMap::new(),
            now: SECOND,
            is_stopping: false,
            over: 0,
            reports: Vec::new(),
        };
        world.configure(programs.into_iter().map(|rules| (rules, Change::New)).collect());
        world
    }

    fn configure(&mut self, programs: Vec<(ProgramRules, Change)>) {
        let programs =
            programs.into_iter().zip(0..).map(|((rules, change), id)| (id, rules, change));
        self.state.on_configured(programs.collect());
        self.drain();
    }

    fn latest(&self, id: ProgramId) -> Option<(RunId, Life)> {
        self.lives.iter().rfind(|(run, _)| run.program == id).map(|(run, life)| (*run, *life))
    }

    fn phase(&self, id: ProgramId) -> Option<Phase> {
        self.state.phases().get(&id).copied()
    }

    fn is_up(&self, id: ProgramId) -> bool {
        self.latest(id).is_some_and(|(_, life)| !life.is_over())
    }

    /// Checks each step against the laws, and does it.
    fn drain(&mut self) {
        while let Some(step) = self.state.poll_step() {
            match step {
                MonitorStep::Spawn(run) => {
                    assert!(!self.is_stopping, "a start after the stop of all");
                    let before = self.latest(run.program);
                    assert_eq!(run.number, before.map_or(0, |(run, _)| run.number) + 1);
                    assert!(before.is_none_or(|(_, life)| life.exited), "two runs at once");
                    if run.program == B {
                        let is_done = self.done.get(&A) == Some(&true);
                        let a = self.latest(A).map(|(_, life)| life);
                        let is_ready = a.is_some_and(|a| a.ready && !a.exited && !a.asked);
                        assert!(is_ready || is_done, "it has to wait: {a:?}");
                    }
                    self.done.remove(&run.program);
                    self.lives.insert(run, Life::default());
                }
                MonitorStep::Terminate(run) => {
                    let life = self.lives[&run];
                    assert!(!life.exited && !life.asked, "{run:?}: {life:?}");
                    assert!(run.program != A || !self.is_stopping || !self.is_up(B), "the order");
                    self.lives.get_mut(&run).unwrap().asked = true;
                }
                MonitorStep::EndRest(run) => {
                    let life = self.lives.get_mut(&run).unwrap();
                    assert!(life.exited && !life.asked, "{run:?}: {life:?}");
                    life.asked = true;
                }
                MonitorStep::Report(id, report) => {
                    if matches!(report, Report::Done) {
                        self.done.insert(id, true);
                    }
                    self.reports.push((id, report));
                }
                MonitorStep::Forget(id) => assert!(!self.is_up(id)),
                MonitorStep::Over => {
                    self.over += 1;
                    let lives = self.lives.values().filter(|life| !life.is_over());
                    assert_eq!(lives.count(), 0, "over, and something lives");
                }
            }
        }
    }

    fn give(&mut self, fact: Fact) {
        self.now += SECOND / 100;
        let (now, state) = (self.now, &mut self.state);
        let lives = &mut self.lives;
        match fact {
            Fact::Started(run) => {
                lives.get_mut(&run).unwrap().started = true;
                state.on_started(run, now);
                if run.program == B {
                    lives.get_mut(&run).unwrap().ready = true;
                }
            }
            Fact::StartFailed(run) => {
                *lives.get_mut(&run).unwrap() =
                    Life { exited: true, terminated: true, asked: true, ..Life::default() };
                state.on_start_failed(run, at(now));
            }
            Fact::Ready(run) => {
                lives.get_mut(&run).unwrap().ready = true;
                state.on_ready(run, now);
            }
            Fact::Exited(run, is_success) => {
                lives.get_mut(&run).unwrap().exited = true;
                state.on_exited(run, is_success, at(now));
            }
            Fact::Terminated(run) => {
                lives.get_mut(&run).unwrap().terminated = true;
                state.on_terminated(run, true, at(now));
            }
            Fact::Time => {
                self.now = state.poll_deadline().unwrap_or(now).max(now);
                state.on_time(at(self.now));
            }
            Fact::Start(id) => state.on_start(id),
            Fact::Stop(id) => state.on_stop(id),
            Fact::Restart(id) => state.on_restart(id),
            Fact::StopAll => {
                self.is_stopping = true;
                state.on_stop_all();
            }
            Fact::Late => {
                for run in lives.iter().filter(|(_, life)| life.is_over()).map(|(run, _)| *run) {
                    state.on_started(run, now);
                    state.on_ready(run, now);
                    state.on_exited(run, false, at(now));
                    state.on_terminated(run, true, at(now));
                }
            }
        }
        self.drain();
    }

    /// Returns what the environment can report of the programs now.
    fn possible(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        for (&run, life) in self.lives.iter().filter(|(_, life)| !life.is_over()) {
            if !life.started {
                facts.extend([Fact::Started(run), Fact::StartFailed(run)]);
                continue;
            }
            if !life.ready && !life.exited {
                facts.push(Fact::Ready(run));
            }
            if !life.exited {
                facts.extend([Fact::Exited(run, true), Fact::Exited(run, false)]);
            }
            if life.asked && !life.terminated {
                facts.push(Fact::Terminated(run));
            }
        }
        facts
    }

    /// Stops everything, and has what lives end.
    fn finish(mut self) {
        self.give(Fact::StopAll);
        for _ in 0..20 {
            let fact = self.possible().into_iter().find(|fact| match fact {
                Fact::StartFailed(_) => true,
                Fact::Exited(run, _) => self.lives[run].asked,
                Fact::Terminated(_) => true,
                _ => false,
            });
            match fact {
                Some(fact) => self.give(fact),
                None => break,
            }
        }
        assert!(self.state.is_over(), "{:?}", self.state);
        assert!(self.over > 0 && self.possible().is_empty());
    }
}

#[derive(Debug, Clone, Copy)]
enum Fact {
    Started(RunId),
    StartFailed(RunId),
    Ready(RunId),
    Exited(RunId, bool),
    Terminated(RunId),
    Time,
    Start(ProgramId),
    Stop(ProgramId),
    Restart(ProgramId),
    StopAll,
    /// Every fact about every run that is over, once more.
    Late,
}

/// `a` has a readiness, and `b` comes after it.
fn pair(restart: Restart) -> Vec<ProgramRules> {
    let a = ProgramRules {
        restart,
        has_readiness: true,
        start_timeout: Some(SECOND),
        ..ProgramRules::always()
    };
    let b = ProgramRules { after: vec![A], restart, ..ProgramRules::always() };
    vec![a, b]
}

/// Gives every order of facts of this length, and returns how many there are.
fn enumerate(world: &World, depth: usize) -> u64 {
    if depth == 0 {
        world.clone().finish();
        return 1;
    }
    let requests = [
        Fact::Time,
        Fact::Start(A),
        Fact::Stop(A),
        Fact::Stop(B),
        Fact::Restart(A),
        Fact::Restart(B),
        Fact::StopAll,
        Fact::Late,
    ];
    let facts = world.possible().into_iter().chain(requests);
    facts
        .map(|fact| {
            let mut world = world.clone();
            world.give(fact);
            enumerate(&world, depth - 1)
        })
        .sum()
}

/// Cases MO-01, MO-02 and MO-03.
#[test]
fn every_order_of_few_facts_keeps_the_laws() {
    for restart in [Restart::Always, Restart::OnFailure, Restart::Never] {
        let world = World::new(pair(restart));
        assert!(enumerate(&world, 5) > 50_000);
        // The same from where both run.
        let mut world = world;
        for fact in [Fact::Started(run(A, 1)), Fact::Ready(run(A, 1)), Fact::Started(run(B, 1))] {
            world.give(fact);
        }
        assert!(enumerate(&world, 5) > 50_000);
    }
}

fn run(program: ProgramId, number: u32) -> RunId {
    RunId { program, number }
}

fn both_run(restart: Restart) -> World {
    let mut world = World::new(pair(restart));
    for fact in [Fact::Started(run(A, 1)), Fact::Ready(run(A, 1)), Fact::Started(run(B, 1))] {
        world.give(fact);
    }
    world.reports.clear();
    world
}

#[test]
fn a_restart_follows_the_exit_and_not_the_end_of_the_rest() {
    let mut world = both_run(Restart::Always);
    world.give(Fact::Exited(run(B, 1), true));
    world.give(Fact::Time);
    assert!(world.lives.contains_key(&run(B, 2)), "although the rest of 1 has not ended");
    assert!(!world.lives[&run(B, 1)].terminated);
}

#[test]
fn a_program_that_others_come_after_restarts_alone() {
    let mut world = both_run(Restart::Always);
    world.give(Fact::Exited(run(A, 1), false));
    world.give(Fact::Time);
    assert!(world.lives.contains_key(&run(A, 2)));
    assert!(!world.lives[&run(B, 1)].asked, "what comes after it runs on");
}

#[test]
fn a_reload_restarts_what_has_changed_and_what_comes_after_it() {
    let mut world = both_run(Restart::Always);
    let [a, b] = <[ProgramRules; 2]>::try_from(pair(Restart::Always)).unwrap();
    world.configure(vec![(a.clone(), Change::None), (b.clone(), Change::None)]);
    assert!(world.lives.values().all(|life| !life.asked), "what has not changed stays");
    world.configure(vec![(a, Change::Restart), (b, Change::None)]);
    assert!(world.lives[&run(B, 1)].asked && !world.lives[&run(A, 1)].asked, "in reverse order");
    world.give(Fact::Exited(run(B, 1), false));
    world.give(Fact::Terminated(run(B, 1)));
    assert!(world.lives[&run(A, 1)].asked && !world.lives.contains_key(&run(B, 2)));
    world.give(Fact::Exited(run(A, 1), false));
    world.give(Fact::Terminated(run(A, 1)));
    world.give(Fact::Started(run(A, 2)));
    assert!(!world.lives.contains_key(&run(B, 2)), "it waits until the other one is ready");
    world.give(Fact::Ready(run(A, 2)));
    assert!(world.lives.contains_key(&run(B, 2)));
}

#[test]
fn a_program_that_a_reload_lacks_stops_and_is_forgotten() {
    let mut world = both_run(Restart::Always);
    let a = pair(Restart::Always).remove(0);
    world.configure(vec![(a.clone(), Change::None)]);
    assert!(world.lives[&run(B, 1)].asked);
    // It comes back before it has ended.
    let b = pair(Restart::Always).remove(1);
    world.configure(vec![(a.clone(), Change::None), (b, Change::None)]);
    world.give(Fact::Exited(run(B, 1), false));
    world.give(Fact::Terminated(run(B, 1)));
    assert!(world.lives.contains_key(&run(B, 2)));
    world.give(Fact::Started(run(B, 2)));
    world.configure(vec![(a, Change::None)]);
    world.give(Fact::Terminated(run(B, 2)));
    world.give(Fact::Exited(run(B, 2), false));
    assert_eq!(world.phase(B), None);
}

#[test]
fn a_start_that_takes_too_long_is_ended_and_tried_again() {
    let mut world = World::new(pair(Restart::OnFailure));
    world.give(Fact::Started(run(A, 1)));
    world.give(Fact::Time);
    assert!(world.reports.contains(&(A, Report::StartTimedOut)) && world.lives[&run(A, 1)].asked);
    // Even an exit with success is a failure then.
    world.give(Fact::Exited(run(A, 1), true));
    world.give(Fact::Terminated(run(A, 1)));
    assert!(matches!(world.phase(A), Some(Phase::Pausing { .. })));
    assert_eq!(world.over, 0);
}

#[test]
fn a_process_that_outlives_the_kill_holds_nothing_up() {
    let mut world = both_run(Restart::Always);
    world.give(Fact::StopAll);
    world.state.on_terminated(run(B, 1), false, at(world.now));
    world.lives.insert(run(B, 1), Life { exited: true, terminated: true, ..Life::default() });
    world.drain();
    assert!(world.reports.contains(&(B, Report::Survived)) && world.lives[&run(A, 1)].asked);
}

#[test]
fn it_is_over_when_all_have_ended_for_good_and_names_the_first_failure() {
    let mut state = World::new(vec![]).state;
    assert!(state.is_over());
    let never = ProgramRules { restart: Restart::Never, ..ProgramRules::always() };
    state.on_configured(vec![(4, never.clone(), Change::New), (7, never, Change::New)]);
    let steps = |state: &mut MonitorState| -> Vec<MonitorStep> {
        std::iter::from_fn(|| state.poll_step()).collect()
    };
    assert_eq!(steps(&mut state), [run(4, 1), run(7, 1)].map(MonitorStep::Spawn));
    for (id, is_success) in [(7, false), (4, true)] {
        state.on_started(run(id, 1), SECOND);
        state.on_exited(run(id, 1), is_success, at(SECOND));
    }
    assert!(!state.is_over(), "the rests of both are being ended");
    drop(steps(&mut state));
    state.on_terminated(run(4, 1), true, at(SECOND));
    state.on_terminated(run(7, 1), true, at(SECOND));
    assert_eq!(steps(&mut state), [MonitorStep::Over]);
    assert_eq!(state.failed(), Some(7));
    state.on_start(7);
    assert!(!state.is_over());
}

#[test]
fn what_waits_for_a_program_that_failed_for_good_waits_without_end() {
    let mut world = World::new(pair(Restart::Never));
    world.give(Fact::Started(run(A, 1)));
    world.give(Fact::Exited(run(A, 1), false));
    world.give(Fact::Terminated(run(A, 1)));
    assert_eq!((world.phase(B), world.over), (Some(Phase::Waiting), 1));
    assert_eq!(world.state.failed(), Some(A));
    world.give(Fact::Start(A));
    world.give(Fact::Started(run(A, 2)));
    world.give(Fact::Ready(run(A, 2)));
    assert!(world.is_up(B));
}
