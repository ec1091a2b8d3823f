//! A flag for each thread: its loop blocks SIGPIPE. The code that blocks the signal sets it; the code
//! that passes the thread's signal mask on to a child reads it.

use std::cell::Cell;

thread_local! {
    static BLOCKED: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether the loop of this thread blocks SIGPIPE, and not the program itself.
///
/// The loop blocks SIGPIPE during a turn, if the program does not ignore the signal. Code that passes
/// the thread's mask on to a child removes SIGPIPE from it then.
///
/// # Examples
///
/// ```
/// // Rust programs ignore SIGPIPE, so the loop does not block it.
/// assert!(!procession_core::sigpipe::is_blocked_by_loop());
/// ```
#[must_use]
pub fn is_blocked_by_loop() -> bool {
    BLOCKED.get()
}

/// Records whether the loop of this thread blocks SIGPIPE from now on.
///
/// It does not change the mask: the loop calls it together with the system call that does.
pub fn set_blocked_by_loop(blocked: bool) {
    BLOCKED.set(blocked);
}
