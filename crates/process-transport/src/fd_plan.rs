//! Pure core: turns "which descriptor on which number" into steps for the child.
//!
//! # Model
//!
//! Input: a list of moves. Each has a source number that is open in the child's own table, and the
//! target number on which the program shall find it. Targets are distinct. A source may serve
//! several targets and may itself be a target; any cycle is allowed. Output: steps for the child,
//! in order.
//!
//! After the steps, every target is open without close-on-exec and refers to what its source
//! referred to before the first step; every other number is closed. A step never overwrites a
//! source that a later step needs: such a source is first copied to a scratch number, which is
//! neither a source nor a target. The last steps close it.
//!
//! The steps need a table that nobody else uses: that of the child between clone and exec.

pub use crate::sys::{FdMove, FdStep};

/// The steps for one child.
///
/// # Examples
///
/// ```
/// use procession_process_transport::fd_plan::{FdMove, FdPlan, FdStep};
///
/// // Swap 3 and 4.
/// let swap = [FdMove { source: 3, target: 4 }, FdMove { source: 4, target: 3 }];
/// let plan = FdPlan::new(&swap);
/// assert_eq!(plan.steps(), [
///     FdStep::DupCloexec { from: 3, to: 0 },
///     FdStep::Dup { from: 4, to: 3 },
///     FdStep::Dup { from: 0, to: 4 },
///     FdStep::Close { first: 0, last: 2 },
///     FdStep::Close { first: 5, last: u32::MAX },
/// ]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FdPlan {
    steps: Vec<FdStep>,
}

impl FdPlan {
    /// Plans `moves`, whose targets are distinct and not negative.
    ///
    /// If several moves have one target, the last wins.
    pub fn new(moves: &[FdMove]) -> Self {
        let mut moves: Vec<FdMove> = moves.to_vec();
        // The last entry for a target wins. In sorted order the usual map needs no search at all.
        moves.reverse();
        moves.sort_by_key(|entry| entry.target);
        moves.dedup_by_key(|entry| entry.target);
        let mut steps = Vec::with_capacity(moves.len() * 2 + 2);
        let mut scratch = Scratch { next: 0, taken: taken(&moves) };
        for i in 0..moves.len() {
            let FdMove { source, target } = moves[i];
            if source == target {
                steps.push(FdStep::Keep { fd: target });
                continue;
            }
            // Does a later move need what is on `target` now?
            let needed = moves[i + 1..].iter().any(|later| later.source == target);
            if needed {
                let copy = scratch.take();
                steps.push(FdStep::DupCloexec { from: target, to: copy });
                for later in moves[i + 1..].iter_mut().filter(|later| later.source == target) {
                    later.source = copy;
                }
            }
            steps.push(FdStep::Dup { from: source, to: target });
        }
        close_gaps(&moves, &mut steps);
        Self { steps }
    }

    /// Returns the steps for `moves`, in the form that a launch takes.
    pub(crate) fn steps_for(moves: &[FdMove]) -> Vec<FdStep> {
        Self::new(moves).steps
    }

    /// Returns the steps, in order.
    pub fn steps(&self) -> &[FdStep] {
        &self.steps
    }
}

/// Returns the numbers that a scratch copy must not use: every source and every target, sorted.
fn taken(moves: &[FdMove]) -> Vec<i32> {
    let mut taken: Vec<i32> = moves.iter().flat_map(|entry| [entry.source, entry.target]).collect();
    taken.sort_unstable();
    taken.dedup();
    taken
}

/// Hands out free numbers, lowest first.
struct Scratch {
    next: i32,
    taken: Vec<i32>,
}

impl Scratch {
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
    use super::{FdMove, FdPlan, FdStep};

    #[test]
    fn the_usual_three_need_one_dup_each() {
        let moves = [(5, 0), (7, 1), (9, 2)].map(|(source, target)| FdMove { source, target });
        let plan = FdPlan::new(&moves);
        let dups = plan.steps().iter().filter(|step| matches!(step, FdStep::Dup { .. })).count();
        assert_eq!((dups, plan.steps().len()), (3, 4));
    }

    #[test]
    fn a_descriptor_on_its_target_is_kept() {
        let plan = FdPlan::new(&[FdMove { source: 0, target: 0 }]);
        assert_eq!(
            plan.steps(),
            [FdStep::Keep { fd: 0 }, FdStep::Close { first: 1, last: u32::MAX }]
        );
    }

    #[test]
    fn the_last_entry_for_a_target_wins() {
        let moves = [FdMove { source: 7, target: 4 }, FdMove { source: 8, target: 4 }];
        assert!(FdPlan::new(&moves).steps().contains(&FdStep::Dup { from: 8, to: 4 }));
    }

    #[test]
    fn an_empty_map_closes_everything() {
        assert_eq!(FdPlan::new(&[]).steps(), [FdStep::Close { first: 0, last: u32::MAX }]);
    }
}
