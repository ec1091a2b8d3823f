//! Whether a loop blocks SIGPIPE in this thread: set by whoever blocks it, read by whoever hands the
//! thread's signal mask on.

use std::cell::Cell;

thread_local! {
    static BLOCKED: Cell<bool> = const { Cell::new(false) };
}

/// Tells whether SIGPIPE is blocked in this thread by its loop alone, and not by the program.
///
/// So it is while a turn runs in a program that does not ignore the signal. Whoever hands the
/// thread's mask on, to a child, leaves it out.
///
/// # Examples
///
/// ```
/// // Rust programs ignore SIGPIPE, and there is nothing to block.
/// assert!(!procession_core::sigpipe::is_blocked_by_loop());
/// ```
#[must_use]
pub fn is_blocked_by_loop() -> bool {
    BLOCKED.get()
}

/// Says that the loop of this thread blocks SIGPIPE from now on, or no longer does.
///
/// It changes no mask: a loop calls it beside the system call that does.
pub fn set_blocked_by_loop(blocked: bool) {
    BLOCKED.set(blocked);
}
