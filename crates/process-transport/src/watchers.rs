//! Notifies reactors, on any thread, that there is something to reap.

use std::sync::{Arc, Mutex, PoisonError};

/// A receiver of notifications.
pub(crate) trait ReapListener: Send + Sync {
    /// Returns whether it no longer watches.
    fn is_over(&self) -> bool;

    /// Reports that there is something to reap.
    fn notify(&self);
}

static LISTENERS: Mutex<Vec<Arc<dyn ReapListener>>> = Mutex::new(Vec::new());

/// Adds a watcher, which is notified whenever there is something to reap.
#[cfg(feature = "reactor")]
pub(crate) fn watch(watcher: impl ReapListener + 'static) {
    let mut watchers = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    watchers.retain(|watcher| !watcher.is_over());
    watchers.push(Arc::new(watcher));
}

/// Notifies all watchers.
pub(crate) fn notify_all() {
    let watchers = {
        let mut watchers = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|watcher| !watcher.is_over());
        watchers.clone()
    };
    for watcher in watchers {
        watcher.notify();
    }
}
