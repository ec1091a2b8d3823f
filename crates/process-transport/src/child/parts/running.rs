//! Counts the running children of this thread. A child that is alone is worth a moment of waiting.

use std::cell::Cell;

thread_local! {
    static RUNNING: Cell<usize> = const { Cell::new(0) };
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
    use super::{RunningChild, is_alone};

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
