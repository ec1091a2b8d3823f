//! What upper layers have done whenever a reactor starts.

use std::sync::{Mutex, PoisonError};

use crate::handle::Handle;

static ON_START: Mutex<Vec<fn(&Handle)>> = Mutex::new(Vec::new());

/// Has `hook` called by every [`Reactor::new`](crate::Reactor::new) of this process from now on,
/// in the new reactor's thread.
///
/// For crates that add to the reactor and need to know of each, such as one that reaps children
/// that have outlived the reactor that started them. A function that is known already is not added
/// again.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use procession_reactor::{Handle, Reactor, hooks};
///
/// static STARTED: AtomicU32 = AtomicU32::new(0);
///
/// fn count(_: &Handle) {
///     STARTED.fetch_add(1, Ordering::Relaxed);
/// }
///
/// hooks::on_reactor_start(count);
/// let reactor = Reactor::new()?;
/// assert_eq!(STARTED.load(Ordering::Relaxed), 1);
/// # std::io::Result::Ok(())
/// ```
pub fn on_reactor_start(hook: fn(&Handle)) {
    let mut hooks = ON_START.lock().unwrap_or_else(PoisonError::into_inner);
    if !hooks.iter().any(|&known| std::ptr::fn_addr_eq(known, hook)) {
        hooks.push(hook);
    }
}

/// Calls them all, in their order.
pub(crate) fn reactor_started(handle: &Handle) {
    let hooks = ON_START.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for hook in hooks {
        hook(handle);
    }
}
