//! What upper layers have done whenever a reactor starts.

use std::sync::{Mutex, PoisonError};

use crate::handle::Handle;

static ON_START: Mutex<Vec<fn(&Handle)>> = Mutex::new(Vec::new());

/// Adds one, unless it is known.
pub(crate) fn add(hook: fn(&Handle)) {
    let mut hooks = ON_START.lock().unwrap_or_else(PoisonError::into_inner);
    if !hooks.iter().any(|&known| std::ptr::fn_addr_eq(known, hook)) {
        hooks.push(hook);
    }
}

/// Calls them all, in their order.
pub(crate) fn call(handle: &Handle) {
    let hooks = ON_START.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for hook in hooks {
        hook(handle);
    }
}
