//! Any list of moves, run on a model of a descriptor table: the result is exactly the wanted map.
//!
//! The core is compiled into this target: its crate does not show it.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

use crate::fd_plan::steps_for;
use crate::sys::{FdMove, FdStep};

#[path = "../../crates/process-transport/src/fd_plan.rs"]
mod fd_plan;
#[path = "../../crates/process-transport/src/sys/fd_step.rs"]
mod sys;

#[derive(Debug, Arbitrary)]
struct Input {
    /// Source and target. Small numbers collide most often.
    moves: Vec<(u8, u8)>,
    /// Some moves between arbitrary numbers.
    far: Vec<(u32, u32)>,
    others: BTreeSet<u8>,
}

/// Maps a number to what it refers to (the number that this was opened as) and its close-on-exec
/// flag.
type Table = BTreeMap<i32, (i32, bool)>;

fn number(raw: u32) -> i32 {
    i32::try_from(raw % (1 << 30)).expect("below 2^30")
}

fn run(table: &mut Table, step: &FdStep) {
    let mut copy = |from: i32, to: i32, cloexec: bool| {
        assert_ne!(from, to, "dup2 of a number to itself keeps close-on-exec");
        assert!(to >= 0, "{to} is no number");
        let (description, _) = *table.get(&from).expect("the source of a copy is open");
        table.insert(to, (description, cloexec));
    };
    match *step {
        FdStep::Dup { from, to } => copy(from, to, false),
        FdStep::DupCloexec { from, to } => copy(from, to, true),
        FdStep::Keep { fd } => table.get_mut(&fd).expect("what is kept is open").1 = false,
        FdStep::Close { first, last } => {
            assert!(first <= last, "close_range refuses this");
            table.retain(|number, _| !(first..=last).contains(&number.cast_unsigned()));
        }
    }
}

fuzz_target!(|input: Input| {
    let near = input.moves.iter().map(|(a, b)| (i32::from(*a), i32::from(*b)));
    let far = input.far.iter().take(4).map(|(a, b)| (number(*a), number(*b)));
    let moves: Vec<FdMove> =
        near.chain(far).map(|(source, target)| FdMove { source, target }).collect();
    let open =
        moves.iter().map(|entry| entry.source).chain(input.others.into_iter().map(i32::from));
    let mut table: Table = open.map(|number| (number, (number, true))).collect();
    for step in steps_for(&moves) {
        run(&mut table, &step);
    }
    let wanted: Table = moves.iter().map(|entry| (entry.target, (entry.source, false))).collect();
    assert_eq!(table, wanted, "{moves:?}");
});
