//! The descriptor that wakes a loop, as a flag that a thread can wait for.

use loom::sync::{Condvar, Mutex};

/// An event counter: a wake-up ends the present or the next wait.
#[derive(Debug)]
pub(crate) struct WakeFd {
    is_woken: Mutex<bool>,
    changes: Condvar,
}

impl WakeFd {
    pub(crate) fn new() -> Self {
        Self { is_woken: Mutex::new(false), changes: Condvar::new() }
    }

    pub(crate) fn wake(&self) {
        *self.is_woken.lock().unwrap() = true;
        self.changes.notify_one();
    }

    /// Waits for a wake-up, or only takes note of one if it must not block.
    pub(crate) fn wait(&self, blocks: bool) {
        let mut is_woken = self.is_woken.lock().unwrap();
        while blocks && !*is_woken {
            is_woken = self.changes.wait(is_woken).unwrap();
        }
        *is_woken = false;
    }
}
