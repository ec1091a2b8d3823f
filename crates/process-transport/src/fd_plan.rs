//! Pure core: from "which descriptor goes on which number" to the steps that bring it about.
//!
//! # Model
//!
//! Input: a list of moves, each a source number that is open in the child's own table and the target
//! number on which the program shall find it. Targets are distinct; a source may serve several
//! targets, may itself be a target, and any cycle is allowed. Output: steps for the child, in order.
//!
//! After the steps, every target is open without close-on-exec and refers to what its source
//! referred to before the first step; every other number is closed. A step never overwrites a
//! source that is still needed: one that is about to be overwritten is first copied to a scratch
//! number, which is neither a source nor a target and is closed by the steps at the end.
//!
//! The steps are meant for a table that nobody else uses: that of the child between clone and exec.

use std::borrow::Cow;

use crate::sys::{FdMove, FdStep};

/// Returns what one child is to do for `moves`, in order; targets are distinct and not negative.
///
/// Of several moves to one target the last wins.
pub(crate) fn steps_for(moves: &[FdMove]) -> Vec<FdStep> {
    let mut moves = Cow::Borrowed(moves);
    if !moves.is_sorted_by(|one, next| one.target < next.target) {
        let moves = moves.to_mut();
        // The last entry for a target wins.
        moves.reverse();
        moves.sort_by_key(|entry| entry.target);
        moves.dedup_by_key(|entry| entry.target);
    }
    let mut steps = Vec::with_capacity(moves.len() * 2 + 2);
    let mut scratch = None;
    for i in 0..moves.len() {
        let FdMove { source, target } = moves[i];
        if source == target {
            steps.push(FdStep::Keep { fd: target });
            continue;
        }
        // Who still needs what is on `target` now?
        let needed = moves[i + 1..].iter().any(|later| later.source == target);
        if needed {
            let copy = scratch.get_or_insert_with(|| Scratch::beside(&moves)).take();
            steps.push(FdStep::DupCloexec { from: target, to: copy });
            for later in moves.to_mut()[i + 1..].iter_mut().filter(|later| later.source == target) {
                later.source = copy;
            }
        }
        steps.push(FdStep::Dup { from: source, to: target });
    }
    close_gaps(&moves, &mut steps);
    steps
}

/// Hands out free numbers, lowest first.
struct Scratch {
    next: i32,
    /// Numbers that a scratch copy must not use: every source and every target, sorted.
    taken: Vec<i32>,
}

impl Scratch {
    fn beside(moves: &[FdMove]) -> Self {
        let mut taken: Vec<i32> =
            moves.iter().flat_map(|entry| [entry.source, entry.target]).collect();
        taken.sort_unstable();
        taken.dedup();
        Self { next: 0, taken }
    }

    fn take(&mut self) -> i32 {
        while self.taken.binary_search(&self.next).is_ok() {
            self.next += 1;
        }
        self.next += 1;
        self.next - 1
    }
}

/// Closes all but the targets; `moves` is sorted by target.
fn close_gaps(moves: &[FdMove], steps: &mut Vec<FdStep>) {
    let mut first = 0_u32;
    for entry in moves {
        let target = entry.target.cast_unsigned();
        if target > first {
            steps.push(FdStep::Close { first, last: target - 1 });
        }
        first = target + 1;
    }
    steps.push(FdStep::Close { first, last: u32::MAX });
}

#[cfg(test)]
mod tests {
    use super::{FdMove, FdStep, steps_for};

    #[test]
    fn a_swap_goes_through_a_scratch_number() {
        let swap = [FdMove { source: 3, target: 4 }, FdMove { source: 4, target: 3 }];
        let plan = steps_for(&swap);
        let expected = [
            FdStep::DupCloexec { from: 3, to: 0 },
            FdStep::Dup { from: 4, to: 3 },
            FdStep::Dup { from: 0, to: 4 },
            FdStep::Close { first: 0, last: 2 },
            FdStep::Close { first: 5, last: u32::MAX },
        ];
        assert_eq!(plan, expected);
    }

    /// Plans of the same move often, and of the highest numbers.
    #[test]
    fn plans_of_any_numbers() {
        let top = i32::MAX - 1;
        for moves in [
            vec![FdMove { source: 0, target: 0 }; 50],
            vec![FdMove { source: top, target: 0 }, FdMove { source: 0, target: top }],
            vec![FdMove { source: i32::MAX, target: i32::MAX }],
            (0..2000).map(|n| FdMove { source: 1999 - n, target: n }).collect(),
        ] {
            assert!(!steps_for(&moves).is_empty());
        }
    }

    #[test]
    fn the_usual_three_need_one_dup_each() {
        let moves = [(5, 0), (7, 1), (9, 2)].map(|(source, target)| FdMove { source, target });
        let plan = steps_for(&moves);
        let dups = plan.iter().filter(|step| matches!(step, FdStep::Dup { .. })).count();
        assert_eq!((dups, plan.len()), (3, 4));
    }

    #[test]
    fn what_already_lies_right_is_kept() {
        let plan = steps_for(&[FdMove { source: 0, target: 0 }]);
        assert_eq!(plan, [FdStep::Keep { fd: 0 }, FdStep::Close { first: 1, last: u32::MAX }]);
    }

    #[test]
    fn the_last_entry_for_a_target_wins() {
        let moves = [FdMove { source: 7, target: 4 }, FdMove { source: 8, target: 4 }];
        assert!(steps_for(&moves).contains(&FdStep::Dup { from: 8, to: 4 }));
    }

    #[test]
    fn an_empty_map_closes_everything() {
        assert_eq!(steps_for(&[]), [FdStep::Close { first: 0, last: u32::MAX }]);
    }
}
