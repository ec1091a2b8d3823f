//! Hooks that upper layers have the reactor call when it starts.

use std::sync::{Mutex, PoisonError};

use crate::handle::Handle;

static ON_START: Mutex<Vec<fn(&Handle)>> = Mutex::new(Vec::new());

/// Adds a hook, unless it is already registered.
pub(crate) fn add(hook: fn(&Handle)) {
    let mut hooks = ON_START.lock().unwrap_or_else(PoisonError::into_inner);
    if !hooks.iter().any(|&known| std::ptr::fn_addr_eq(known, hook)) {
        hooks.push(hook);
    }
}

/// Calls all hooks in their order.
pub(crate) fn call(handle: &Handle) {
    let hooks = ON_START.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for hook in hooks {
        hook(handle);
    }
}
