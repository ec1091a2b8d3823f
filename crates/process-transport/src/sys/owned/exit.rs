//! The act at the program's own end: `exit(3)`, which a return from `main` calls too.
//!
//! `_exit(2)`, `abort(3)` and `quick_exit(3)` do not run it, nor any other exit function of the
//! program.
#![expect(unsafe_code, reason = "registers a function that exit(3) calls")]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use super::act::end_owned_groups;

/// Makes the owned children end before this process exits; registered once.
///
/// A forked copy inherits it, and it does nothing there, because the table belongs to another
/// process.
pub(super) fn end_owned_at_exit() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    // Two threads may both register it; then the second act finds no child. Nothing waits here, so
    // no forked copy can hang here.
    if !REGISTERED.load(SeqCst) {
        // SAFETY: the function lives as long as the process, and never unwinds: nothing in an act
        // can panic.
        let result = unsafe { libc::atexit(at_exit) };
        // On failure (no memory, or the exit is under way) the next reservation tries again.
        REGISTERED.store(result == 0, SeqCst);
    }
}

/// Runs the act. The act must end, because code that still runs on this thread afterwards may reap.
extern "C" fn at_exit() {
    end_owned_groups();
}
