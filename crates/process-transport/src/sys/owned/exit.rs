//! The act at the program's own end: `exit(3)`, which a return from `main` calls as well.
//!
//! `_exit(2)`, `abort(3)` and `quick_exit(3)` run nothing of the program, and so not this either.
#![expect(unsafe_code, reason = "registers a function that exit(3) calls")]

use super::act::end_owned_groups;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

/// Has the owned children end before this process exits, once for all.
///
/// A forked copy inherits it, and does nothing by it: the table is not its own.
pub(super) fn end_owned_at_exit() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    // Two threads may both come so far, and the second act finds nobody. What waits for nobody can
    // stand still in no forked copy.
    if !REGISTERED.load(SeqCst) {
        // SAFETY: the function lives as long as the process does, and never unwinds: nothing in an act
        // can panic.
        let result = unsafe { libc::atexit(at_exit) };
        // No memory, or the exit is under way: the next reservation asks again.
        REGISTERED.store(result == 0, SeqCst);
    }
}

/// What still runs on this thread afterwards may reap: the act has an end.
extern "C" fn at_exit() {
    end_owned_groups();
}
