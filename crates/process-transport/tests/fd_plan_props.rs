//! Laws of the fd plan, checked against a simulated descriptor table.
//!
//! The maps use few numbers, so that swaps, cycles, several targets of one source, and targets that
//! are also sources are frequent.

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

/// The open file description of a number, named by the number that it was opened at.
type Description = i32;

/// A descriptor table as the kernel keeps it: number to description and close-on-exec.
#[derive(Debug, Clone, PartialEq)]
struct Table(BTreeMap<i32, (Description, bool)>);

impl Table {
    /// Opens all of these numbers with close-on-exec, each with a description of its own.
    fn open(numbers: impl IntoIterator<Item = i32>) -> Self {
        Self(numbers.into_iter().map(|number| (number, (number, true))).collect())
    }

    /// Executes one step. It fails if the kernel would refuse the step, or if the step would do
    /// nothing.
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

/// Returns the map that the moves ask for. The last move for a target wins.
fn wanted_map(moves: &[FdMove]) -> BTreeMap<i32, Description> {
    moves.iter().map(|entry| (entry.target, entry.source)).collect()
}

/// Runs the plan for `moves` on a table in which their sources and `others` are open.
fn run_plan(moves: &[FdMove], others: &BTreeSet<i32>) -> Result<Table, TestCaseError> {
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
    let exact: BTreeMap<i32, (Description, bool)> = wanted_map(moves)
        .into_iter()
        .map(|(target, description)| (target, (description, false)))
        .collect();
    prop_assert_eq!(&table.0, &exact, "moves {:?}, plan {:?}", moves, steps_for(moves));
    Ok(())
}

/// Mostly small numbers, and now and then a large one.
fn number() -> impl Strategy<Value = i32> {
    prop_oneof![8 => 0..8_i32, 2 => 0..40_i32, 1 => 1000..1100_i32, 1 => Just(i32::MAX - 1)]
}

/// Any map with distinct targets and arbitrary sources.
fn map() -> impl Strategy<Value = Vec<FdMove>> {
    prop::collection::btree_map(number(), number(), 0..10).prop_flat_map(|map| {
        let moves: Vec<FdMove> =
            map.into_iter().map(|(target, source)| FdMove { source, target }).collect();
        Just(moves).prop_shuffle()
    })
}

/// A permutation of distinct numbers: only cycles and numbers that stay.
fn permutation() -> impl Strategy<Value = Vec<FdMove>> {
    prop::collection::btree_set(number(), 1..9).prop_flat_map(|set| {
        let targets: Vec<i32> = set.into_iter().collect();
        Just(targets.clone()).prop_shuffle().prop_map(move |sources| {
            let pairs = sources.into_iter().zip(targets.iter());
            pairs.map(|(source, target)| FdMove { source, target: *target }).collect()
        })
    })
}

/// Numbers that are open in the child's table although the map does not name them.
fn others() -> impl Strategy<Value = BTreeSet<i32>> {
    prop::collection::btree_set(number(), 0..12)
}

fn config() -> Config {
    Config { failure_persistence: None, cases: 2000, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    /// The plan makes exactly the wanted map. Every target has the right description and no
    /// close-on-exec. No scratch copy and no other descriptor stays open.
    #[test]
    fn any_map_comes_about_exactly(moves in map(), others in others()) {
        let table = run_plan(&moves, &others)?;
        assert_exact(&moves, &table)?;
    }

    /// The plan makes swaps and cycles of any length.
    #[test]
    fn a_permutation_comes_about_exactly(moves in permutation(), others in others()) {
        let table = run_plan(&moves, &others)?;
        assert_exact(&moves, &table)?;
    }

    /// The order of the entries in the map makes no difference.
    #[test]
    fn the_order_of_the_map_does_not_matter(moves in map()) {
        let mut sorted = moves.clone();
        sorted.sort_by_key(|entry| entry.target);
        prop_assert_eq!(steps_for(&moves), steps_for(&sorted));
    }

    /// Before the closing, the plan overwrites only targets, and numbers that are neither source
    /// nor target. It never touches a number that is never closed.
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

    /// Every number that is not a target lies in exactly one closed range, whatever is open there.
    #[test]
    fn every_other_number_is_closed_once(moves in map(), probe in number()) {
        let targets: BTreeSet<i32> = moves.iter().map(|entry| entry.target).collect();
        let closing = steps_for(&moves).iter().filter(|step| match **step {
            FdStep::Close { first, last } => (first..=last).contains(&probe.cast_unsigned()),
            _ => false,
        }).count();
        prop_assert_eq!(closing, usize::from(!targets.contains(&probe)));
    }

    /// The plan is short: one dup or keep for each target, and at most one copy for each target but
    /// the last.
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

/// If several entries name one target, the last wins.
#[test]
fn the_last_entry_for_a_target_wins() {
    let moves = [(3, 1), (4, 1), (5, 1)].map(|(source, target)| FdMove { source, target });
    let table = run_plan(&moves, &BTreeSet::new()).unwrap();
    assert_eq!(table, Table(BTreeMap::from([(1, (5, false))])));
}
