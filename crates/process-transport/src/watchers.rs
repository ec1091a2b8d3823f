//! Who is told that there is something to reap: reactors, on whatever thread.

use std::sync::{Arc, Mutex, PoisonError};

/// Somebody who is told.
pub(crate) trait Watch: Send + Sync {
    /// Whether it watches no more.
    fn is_over(&self) -> bool;

    /// There is something to reap.
    fn tell(&self);
}

static WATCHERS: Mutex<Vec<Arc<dyn Watch>>> = Mutex::new(Vec::new());

/// Has `watcher` told whenever there is something to reap.
#[cfg(feature = "reactor")]
pub(crate) fn watch(watcher: impl Watch + 'static) {
    let mut watchers = WATCHERS.lock().unwrap_or_else(PoisonError::into_inner);
    watchers.retain(|watcher| !watcher.is_over());
    watchers.push(Arc::new(watcher));
}

/// Tells all of them.
pub(crate) fn tell() {
    let watchers = {
        let mut watchers = WATCHERS.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|watcher| !watcher.is_over());
        watchers.clone()
    };
    for watcher in watchers {
        watcher.tell();
    }
}
