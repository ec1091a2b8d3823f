//! A mutex that a forked copy of the process cannot enter.
//!
//! A fork copies the memory and one thread. A lock that another thread held stays locked in the
//! copy for ever. So the copy does not lock; it gets `None`.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// State of the process that made it.
#[derive(Debug, Default)]
pub(super) struct OriginalCell<T> {
    made_in: Original,
    state: Mutex<T>,
}

/// The process that made something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Original(u32);

impl Default for Original {
    fn default() -> Self {
        Self(std::process::id())
    }
}

impl Original {
    /// Returns whether the calling process is a forked copy.
    pub(super) fn is_copy(self) -> bool {
        self.0 != std::process::id()
    }
}

impl<T> OriginalCell<T> {
    pub(super) fn new(state: T) -> Self {
        Self { made_in: Original::default(), state: Mutex::new(state) }
    }

    /// Locks the state, but not in a forked copy.
    pub(super) fn lock(&self) -> Option<MutexGuard<'_, T>> {
        if self.made_in.is_copy() {
            return None;
        }
        Some(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
