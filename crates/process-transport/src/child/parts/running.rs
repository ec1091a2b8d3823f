//! How many children of this thread run.
//!
//! A child that runs alone ends while its parent has nothing better to do than to give it the
//! processor. Where there are others, they would take it, and this thread would stand still.

use std::cell::Cell;

thread_local! {
    static RUNNING: Cell<usize> = const { Cell::new(0) };
}

/// One child that runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running(());

impl Running {
    pub(crate) fn begin() -> Self {
        RUNNING.set(RUNNING.get() + 1);
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be dropped at the thread's end, after the counter.
        RUNNING.try_with(|running| running.set(running.get() - 1)).ok();
    }
}

/// Whether this thread has no more than one child.
pub(crate) fn is_alone() -> bool {
    RUNNING.get() <= 1
}

#[cfg(test)]
mod tests {
    use super::{Running, is_alone};

    #[test]
    fn a_child_is_alone_until_there_is_another() {
        let first = Running::begin();
        assert!(is_alone());
        let second = Running::begin();
        assert!(!is_alone());
        drop(first);
        assert!(is_alone());
        drop(second);
        assert!(is_alone());
    }
}
