//! The cell of a background's state, over loom's mutex: in a model nothing forks.

use crate::sync::{Mutex, MutexGuard};

pub(crate) struct OriginalCell<T>(Mutex<T>);

impl<T> OriginalCell<T> {
    pub(crate) fn new(state: T) -> Self {
        Self(Mutex::new(state))
    }

    pub(crate) fn lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.lock().ok()
    }
}
