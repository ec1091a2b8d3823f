//! The acts of `run_all`: programs that succeed, fail, take too long or write too much, a few at a
//! time. They run to their ends or to the first error, or are given up.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use procession::prelude::*;
use procession::{Keep, Progress, RunAll};
use procession::{OutputError, run_all};

use super::World;
use super::groups::{self, VARIABLE};

/// How one of the programs ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum RunKind {
    Exits(i32),
    TimesOut,
    IsTooLong,
    IsNotFound,
}

impl RunKind {
    fn any(world: &World) -> Self {
        match world.numbers.below(10) {
            0 => Self::TimesOut,
            1 => Self::IsTooLong,
            2 => Self::IsNotFound,
            _ => Self::Exits(i32::try_from(world.numbers.below(8).saturating_sub(5)).unwrap_or(0)),
        }
    }

    fn run(self, world: &World, mark: &str) -> Run {
        let numbers = &world.numbers;
        let sh = |script: &str| Run::new("/bin/sh").args(["-c", script]).env(VARIABLE, mark);
        let grace = Duration::from_millis(numbers.below(40));
        match self {
            Self::Exits(code) => sh(&format!("echo {code}; exit {code}")).check(),
            Self::TimesOut => {
                let after = Duration::from_millis(numbers.below(40));
                sh("trap '' TERM; sleep 300 & sleep 300").timeout(after).kill_grace(grace)
            }
            Self::IsTooLong => {
                let keep = Keep::head_and_tail(numbers.index(500), numbers.index(500));
                let run = sh("head -c 2000 /dev/zero; sleep 300 & sleep 300").keep(keep);
                run.stop_at_limit().kill_grace(grace)
            }
            Self::IsNotFound => Run::new("/no/such/program"),
        }
    }

    fn succeeds(self) -> bool {
        self == Self::Exits(0)
    }

    fn is(self, result: &Result<Outcome, Failed<OutputError>>) -> bool {
        match result {
            Ok(outcome) => self.succeeds() && outcome.stdout == "0\n",
            Err(error) => self.fails_with(error),
        }
    }

    fn fails_with(self, error: &Failed<OutputError>) -> bool {
        let Failed::Error(error) = error else { return false };
        match (self, error) {
            (Self::Exits(code), OutputError::Failed { outcome, .. }) => {
                code != 0 && outcome.exit_code() == Some(code)
            }
            (Self::TimesOut, OutputError::TimedOut { .. })
            | (Self::IsTooLong, OutputError::TooLong { .. })
            | (Self::IsNotFound, OutputError::Spawn(_)) => true,
            _ => false,
        }
    }
}

/// One call of `run_all`, and its results so far.
struct Batch {
    kinds: Vec<RunKind>,
    marks: Vec<String>,
    most: usize,
    reported: RefCell<BTreeSet<usize>>,
    started: Cell<usize>,
    /// Nobody waits for it any more.
    given_up: Cell<bool>,
    ends: RefCell<Option<Ends>>,
}

/// The result that the act waits for.
type Ends = Deferred<(), String>;

/// Runs several helpers, a few at a time.
pub(super) fn run_all_of_them(world: &Rc<World>, reactor: &Handle) {
    let numbers = &world.numbers;
    let kinds: Vec<RunKind> = (0..numbers.below(7)).map(|_| RunKind::any(world)).collect();
    let marks: Vec<String> = kinds.iter().map(|_| groups::mark(world)).collect();
    let parallelism = numbers.index(4);
    let runs: Vec<Run> =
        kinds.iter().zip(&marks).map(|(kind, mark)| kind.run(world, mark)).collect();
    let batch = Rc::new(Batch {
        kinds,
        marks,
        most: parallelism.max(1),
        reported: RefCell::default(),
        started: Cell::new(0),
        given_up: Cell::new(false),
        ends: RefCell::default(),
    });
    let all = watched(world, &batch, run_all(runs, parallelism));
    world.begin();
    let (me, mine) = (world.clone(), batch.clone());
    let manner = numbers.below(4);
    if manner == 0 {
        all.all_or_first_error().done(move |results| {
            let failed = mine.kinds.iter().position(|kind| !kind.succeeds());
            let right = match &results {
                Ok(outcomes) => failed.is_none() && outcomes.len() == mine.kinds.len(),
                Err(Failed::Error(first)) => {
                    failed.is_some() && mine.kinds[first.index].fails_with(&first.error)
                }
                Err(_) => false,
            };
            if !right {
                me.violation(format!("{:?} to the first error had {results:?}", mine.kinds));
            }
            me.count("run_all to the first error");
            me.finish();
        });
        return;
    }
    let ends = all.all().then(move |results| {
        let results = results.map_err(|error| format!("{error:?}"))?;
        let kinds = mine.kinds.iter().copied();
        match results.len() == kinds.len() && kinds.zip(&results).all(|(kind, one)| kind.is(one)) {
            true => Ok(()),
            false => Err(format!("{:?} had {results:?}", mine.kinds)),
        }
    });
    match manner {
        1 => {
            // A callback gives it up, unless it ends before.
            batch.ends.replace(Some(ends));
            let (me, mine) = (world.clone(), batch);
            reactor.call_later(Duration::from_millis(numbers.below(200)), move |_| {
                give_up(&me, &mine);
                me.finish();
            });
        }
        2 => {
            let (me, mine) = (world.clone(), batch);
            let cancels = numbers.below(2) == 0;
            reactor.call_later(Duration::from_millis(numbers.below(60)), move |_| {
                mine.given_up.set(true);
                if cancels {
                    ends.cancel();
                }
                if let Some(Err(Failed::Error(error))) = ends.try_take() {
                    me.violation(format!("run_all: {error}"));
                }
                drop(ends);
                me.count("run_all dropped");
                me.finish();
            });
        }
        _ => {
            let me = world.clone();
            ends.done(move |result| {
                if let Err(error) = result {
                    me.violation(format!("run_all: {error:?}"));
                }
                me.count("run_all");
                me.finish();
            });
        }
    }
}

/// Checks what the callbacks report. A callback may give the batch up.
fn watched(world: &Rc<World>, batch: &Rc<Batch>, all: RunAll) -> RunAll {
    let (me, mine) = (world.clone(), batch.clone());
    let all = all.on_progress(move |now: Progress| {
        let sum = now.done + now.running + now.failed + now.waiting;
        let started = now.total - now.waiting;
        let grows = started > mine.started.replace(started);
        let is_over = mine.given_up.get();
        if sum != now.total || now.running > mine.most || grows && is_over {
            me.violation(format!("{now:?} where {} may run, given up: {is_over}", mine.most));
        }
    });
    let (me, mine) = (world.clone(), batch.clone());
    all.on_result(move |index, result| {
        let kind = mine.kinds[index];
        if !kind.is(result) || mine.given_up.get() || !mine.reported.borrow_mut().insert(index) {
            me.violation(format!("{index} of {:?} had {result:?}", mine.kinds));
        }
        if matches!(kind, RunKind::TimesOut | RunKind::IsTooLong) {
            groups::check_killed(&me, &mine.marks[index], "one of many has failed");
        }
        if me.numbers.below(3) == 0 {
            give_up(&me, &mine);
        }
    })
}

/// Drops or cancels the result, if it exists.
fn give_up(world: &World, batch: &Batch) {
    let Some(ends) = batch.ends.take() else { return };
    match ends.try_take() {
        Some(Ok(())) => {}
        Some(Err(error)) => world.violation(format!("run_all: {error:?}")),
        None => {
            batch.given_up.set(true);
            world.count("run_all given up");
            ends.cancel();
        }
    }
}
