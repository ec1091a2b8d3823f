//! What upper layers have done whenever a reactor starts, and before a signal ends the program.

use std::sync::{Mutex, PoisonError};

use crate::handle::Handle;
use crate::sys::signals;

pub use crate::sys::signals::BeforeDefault;

/// Has `B` act before the reactor ends the program in place of a signal's default action.
///
/// A signal that was watched once keeps its handler, which emulates the default action while nobody
/// watches it. For crates that have something to end before. Only the first registration of a
/// process counts.
pub fn before_default_action<B: BeforeDefault>() {
    signals::before_default::<B>();
}

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
/// use procession::{Handle, Reactor};
/// use procession_reactor::hooks;
/// use std::sync::atomic::{AtomicU32, Ordering};
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

static AROUND_STOP: Mutex<Vec<AroundStop>> = Mutex::new(Vec::new());

/// What is done before the program stops, and after it was continued.
#[derive(Clone, Copy)]
struct AroundStop {
    stop: fn(),
    go_on: fn(),
}

/// Has `stop` called before a run stops the program because of SIGTSTP, and `go_on` when the program
/// was continued.
///
/// For crates with something that is to stop with the program. They are called in the main thread, by
/// the loop and not in a signal handler. A pair that is known already is not added again.
pub fn around_program_stop(stop: fn(), go_on: fn()) {
    let mut hooks = AROUND_STOP.lock().unwrap_or_else(PoisonError::into_inner);
    let is_known = |known: &AroundStop| {
        std::ptr::fn_addr_eq(known.stop, stop) && std::ptr::fn_addr_eq(known.go_on, go_on)
    };
    if !hooks.iter().any(is_known) {
        hooks.push(AroundStop { stop, go_on });
    }
}

/// Calls `stop_program` between those that were added.
pub(crate) fn around_stop(stop_program: impl FnOnce()) {
    let hooks = AROUND_STOP.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for hook in &hooks {
        (hook.stop)();
    }
    stop_program();
    for hook in &hooks {
        (hook.go_on)();
    }
}

/// Calls them all, in their order.
pub(crate) fn reactor_started(handle: &Handle) {
    let hooks = ON_START.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for hook in hooks {
        hook(handle);
    }
}
