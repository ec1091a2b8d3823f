//! Notifies reactors, on any thread, that there is something to reap.

use std::sync::Arc;

use crate::sys::ProcessMutex;

/// A receiver of notifications.
pub(crate) trait ReapListener: Send + Sync {
    /// Returns whether it no longer watches.
    fn is_over(&self) -> bool;

    /// Reports that there is something to reap.
    fn notify(&self);
}

/// The watchers of this process. A forked copy does not notify its parent's reactors.
static LISTENERS: ProcessMutex<Vec<Arc<dyn ReapListener>>> = ProcessMutex::new();

/// Adds a watcher, which is notified whenever there is something to reap.
#[cfg(feature = "reactor")]
pub(crate) fn watch(watcher: impl ReapListener + 'static) {
    let mut watchers = LISTENERS.lock();
    watchers.retain(|watcher| !watcher.is_over());
    watchers.push(Arc::new(watcher));
}

/// Notifies all watchers.
pub(crate) fn notify_all() {
    let watchers = {
        let mut watchers = LISTENERS.lock();
        watchers.retain(|watcher| !watcher.is_over());
        watchers.clone()
    };
    for watcher in watchers {
        watcher.notify();
    }
}
