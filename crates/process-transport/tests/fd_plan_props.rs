//! Laws of the fd plan, against a simulated descriptor table.
//!
//! The maps are drawn from few numbers, so that swaps, cycles, several targets of one source and
//! targets that are sources come up all the time.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::fd_plan::steps_for;
use crate::sys::{FdMove, FdStep};

// The crate shows neither.
#[path = "../src/fd_plan.rs"]
mod fd_plan;
#[path = "../src/sys/fd_step.rs"]
mod sys;

/// What a number refers to: the number that it was opened as.
type Description = i32;

/// A descriptor table as the kernel has it: number to description and close-on-exec.
#[derive(Debug, Clone, PartialEq)]
struct Table(BTreeMap<i32, (Description, bool)>);

impl Table {
    /// All of these are open with close-on-exec, each a description of its own.
    fn open(numbers: impl IntoIterator<Item = i32>) -> Self {
        Self(numbers.into_iter().map(|number| (number, (number, true))).collect())
    }

    /// Executes one step; an error is what the kernel would refuse, or would do nothing for.
    fn step(&mut self, step: &FdStep) -> Result<(), String> {
        match *step {
            FdStep::Dup { from, to } => self.copy(from, to, false),
            FdStep::DupCloexec { from, to } => self.copy(from, to, true),
            FdStep::Keep { fd } => {
                let entry = self.0.get_mut(&fd).ok_or_else(|| format!("{fd} is not open"))?;
                entry.1 = false;
                Ok(())
            }
            FdStep::Close { first, last } => {
                if first > last {
                    return Err(format!("close_range({first}, {last}) gives EINVAL"));
                }
                let inside = |number: i32| (first..=last).contains(&number.cast_unsigned());
                self.0.retain(|number, _| !inside(*number));
                Ok(())
            }
        }
    }

    fn copy(&mut self, from: i32, to: i32, cloexec: bool) -> Result<(), String> {
        if from == to {
            return Err(format!("dup2({from}, {to}) keeps close-on-exec"));
        }
        if to < 0 {
            return Err(format!("{to} is no number"));
        }
        let (description, _) = *self.0.get(&from).ok_or_else(|| format!("{from} is not open"))?;
        self.0.insert(to, (description, cloexec));
        Ok(())
    }
}

/// The map that the moves ask for: the last one for a target wins.
fn wanted(moves: &[FdMove]) -> BTreeMap<i32, Description> {
    moves.iter().map(|entry| (entry.target, entry.source)).collect()
}

/// Runs the plan for `moves` on a table where their sources and `others` are open.
fn run(moves: &[FdMove], others: &BTreeSet<i32>) -> Result<Table, TestCaseError> {
    let sources = moves.iter().map(|entry| entry.source);
    let mut table = Table::open(sources.chain(others.iter().copied()));
    let plan = steps_for(moves);
    for step in &plan {
        let done = table.step(step);
        prop_assert!(done.is_ok(), "{moves:?}: {done:?} in {:?}", plan);
    }
    Ok(table)
}

/// Asserts that the table holds exactly the wanted map, all of it inheritable.
fn assert_exact(moves: &[FdMove], table: &Table) -> Result<(), TestCaseError> {
    let exact: BTreeMap<i32, (Description, bool)> = wanted(moves)
        .into_iter()
        .map(|(target, description)| (target, (description, false)))
        .collect();
    prop_assert_eq!(&table.0, &exact, "moves {:?}, plan {:?}", moves, steps_for(moves));
    Ok(())
}

/// Few numbers, and now and then a large one.
fn number() -> impl Strategy<Value = i32> {
    prop_oneof![8 => 0..8_i32, 2 => 0..40_i32, 1 => 1000..1100_i32, 1 => Just(i32::MAX - 1)]
}

/// Any map: targets distinct, sources at will.
fn map() -> impl Strategy<Value = Vec<FdMove>> {
    prop::collection::btree_map(number(), number(), 0..10).prop_flat_map(|map| {
        let moves: Vec<FdMove> =
            map.into_iter().map(|(target, source)| FdMove { source, target }).collect();
        Just(moves).prop_shuffle()
    })
}

/// A permutation of distinct numbers: nothing but cycles and numbers that stay.
fn permutation() -> impl Strategy<Value = Vec<FdMove>> {
    prop::collection::btree_set(number(), 1..9).prop_flat_map(|set| {
        let targets: Vec<i32> = set.into_iter().collect();
        Just(targets.clone()).prop_shuffle().prop_map(move |sources| {
            let pairs = sources.into_iter().zip(targets.iter());
            pairs.map(|(source, target)| FdMove { source, target: *target }).collect()
        })
    })
}

/// Numbers that are open in the child's table and that nobody asked for.
fn others() -> impl Strategy<Value = BTreeSet<i32>> {
    prop::collection::btree_set(number(), 0..12)
}

fn config() -> Config {
    Config { failure_persistence: None, cases: 2000, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    /// Any map comes about exactly: every target with the right description and without
    /// close-on-exec, no scratch copy and no other descriptor left open.
    #[test]
    fn any_map_comes_about_exactly(moves in map(), others in others()) {
        let table = run(&moves, &others)?;
        assert_exact(&moves, &table)?;
    }

    /// Swaps and cycles of any length come about.
    #[test]
    fn a_permutation_comes_about_exactly(moves in permutation(), others in others()) {
        let table = run(&moves, &others)?;
        assert_exact(&moves, &table)?;
    }

    /// The order in which the map was written down makes no difference.
    #[test]
    fn the_order_of_the_map_does_not_matter(moves in map()) {
        let mut sorted = moves.clone();
        sorted.sort_by_key(|entry| entry.target);
        prop_assert_eq!(steps_for(&moves), steps_for(&sorted));
    }

    /// Before the closing nothing is overwritten but targets and numbers that are neither source
    /// nor target, and what lies on a number that is never closed is never touched.
    #[test]
    fn only_targets_and_scratch_numbers_are_written(moves in map()) {
        let targets: BTreeSet<i32> = moves.iter().map(|entry| entry.target).collect();
        let sources: BTreeSet<i32> = moves.iter().map(|entry| entry.source).collect();
        let mut scratch = BTreeSet::new();
        for step in steps_for(&moves) {
            match step {
                FdStep::Dup { to, .. } => prop_assert!(targets.contains(&to), "{step:?}"),
                FdStep::Keep { fd } => prop_assert!(targets.contains(&fd), "{step:?}"),
                FdStep::DupCloexec { to, .. } => {
                    prop_assert!(!targets.contains(&to) && !sources.contains(&to), "{step:?}");
                    prop_assert!(scratch.insert(to), "a scratch number is used once: {step:?}");
                }
                FdStep::Close { first, last } => {
                    let hit = targets.iter().find(|target| {
                        (first..=last).contains(&target.cast_unsigned())
                    });
                    prop_assert_eq!(hit, None, "{:?} closes a target", step);
                }
            }
        }
    }

    /// Every number that is no target lies in exactly one closed range, whatever is open there.
    #[test]
    fn every_other_number_is_closed_once(moves in map(), probe in number()) {
        let targets: BTreeSet<i32> = moves.iter().map(|entry| entry.target).collect();
        let closing = steps_for(&moves).iter().filter(|step| match **step {
            FdStep::Close { first, last } => (first..=last).contains(&probe.cast_unsigned()),
            _ => false,
        }).count();
        prop_assert_eq!(closing, usize::from(!targets.contains(&probe)));
    }

    /// The plan is short: one dup or keep for each target, at most one copy for each but the last.
    #[test]
    fn a_plan_has_few_steps(moves in map()) {
        let plan = steps_for(&moves);
        let copies =
            plan.iter().filter(|step| matches!(step, FdStep::DupCloexec { .. })).count();
        let closes =
            plan.iter().filter(|step| matches!(step, FdStep::Close { .. })).count();
        prop_assert!(copies < moves.len() || moves.is_empty(), "{:?}", plan);
        prop_assert!(closes <= moves.len() + 1, "{:?}", plan);
        prop_assert_eq!(plan.len() - copies - closes, moves.len());
    }
}

/// Of several entries for one target the last wins.
#[test]
fn the_last_entry_for_a_target_wins() {
    let moves = [(3, 1), (4, 1), (5, 1)].map(|(source, target)| FdMove { source, target });
    let table = run(&moves, &BTreeSet::new()).unwrap();
    assert_eq!(table, Table(BTreeMap::from([(1, (5, false))])));
}
