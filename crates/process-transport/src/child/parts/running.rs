//! Counts the running children of this thread, and yields the processor to a single one that ends.
//!
//! A child that ends closes its descriptors one by one, and each close would wake this thread. If the thread
//! yields, the child can end, and one wake-up covers the rest. But other children, and other programs on a
//! busy machine, would take the processor instead, and this thread would stand still for milliseconds.
//! So it yields only to a single child, and more and more rarely while its yields take long.

use std::cell::Cell;
use std::time::Duration;

/// A yield that takes longer has given the processor to others than the child.
const LONG: Duration = Duration::from_micros(200);

/// In the end, one of 2 to the power of this many chances is taken.
const MAX_DOUBTS: u32 = 6;

thread_local! {
    static RUNNING: Cell<usize> = const { Cell::new(0) };
    static YIELDS: Yields = const { Yields { doubts: Cell::new(0), left_out: Cell::new(0) } };
}

/// Whether yields pay.
#[derive(Debug)]
struct Yields {
    /// How many more yields were long than short, lately.
    doubts: Cell<u32>,
    /// How many chances are left out before the next one is taken.
    left_out: Cell<u32>,
}

impl Yields {
    /// Returns whether to take this chance.
    fn is_due(&self) -> bool {
        let left_out = self.left_out.get();
        self.left_out.set(left_out.saturating_sub(1));
        left_out == 0
    }

    fn on_yielded(&self, spent: Duration) {
        let doubts = self.doubts.get();
        let doubts =
            if spent > LONG { (doubts + 1).min(MAX_DOUBTS) } else { doubts.saturating_sub(1) };
        self.doubts.set(doubts);
        self.left_out.set((1 << doubts) - 1);
    }
}

/// Yields the processor if this thread has at most one running child, which seems to end, and if the last
/// yields were short. `now` reads a clock.
pub(crate) fn yield_to_only_child(now: impl Fn() -> Duration) {
    if is_alone() {
        YIELDS.with(|yields| {
            if yields.is_due() {
                let begun = now();
                rustix::thread::sched_yield();
                yields.on_yielded(now().saturating_sub(begun));
            }
        });
    }
}

/// One running child, until its drop.
#[derive(Debug)]
pub(crate) struct RunningChild(());

impl RunningChild {
    pub(crate) fn begin() -> Self {
        RUNNING.set(RUNNING.get() + 1);
        Self(())
    }
}

impl Drop for RunningChild {
    fn drop(&mut self) {
        // At the thread's end the counter may be dropped first.
        RUNNING.try_with(|running| running.set(running.get() - 1)).ok();
    }
}

/// Returns whether this thread has at most one running child.
pub(crate) fn is_alone() -> bool {
    RUNNING.get() <= 1
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{LONG, RunningChild, Yields, is_alone};

    #[test]
    fn long_yields_are_left_out_more_and_more() {
        let yields = Yields { doubts: Cell::new(0), left_out: Cell::new(0) };
        let taken = |chances: u32, spent| {
            let due = (0..chances).filter(|_| {
                let is_due = yields.is_due();
                if is_due {
                    yields.on_yielded(spent);
                }
                is_due
            });
            due.count()
        };
        assert_eq!(taken(100, LONG), 100, "this is still short");
        let long = LONG * 2;
        assert!((10..20).contains(&taken(640, long)));
        assert!(taken(200, LONG) > 60, "short ones are soon taken again");
        assert_eq!(taken(100, LONG), 100);
    }

    #[test]
    fn a_child_is_alone_until_there_is_another() {
        let first = RunningChild::begin();
        assert!(is_alone());
        let second = RunningChild::begin();
        assert!(!is_alone());
        drop(first);
        assert!(is_alone());
        drop(second);
        assert!(is_alone());
    }
}
