//! Whether a loop blocks SIGPIPE in this thread: set by whoever blocks it, read by whoever hands the
//! thread's signal mask on.

use std::cell::Cell;

thread_local! {
    /// Whether SIGPIPE is blocked in this thread by its loop alone, and not by the program.
    ///
    /// So it is while a turn runs in a program that does not ignore the signal. A loop sets it beside
    /// the system call that changes the mask; whatever hands the thread's mask on, to a child, leaves
    /// the signal out.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::driver::core::SIGPIPE_IS_BLOCKED_BY_LOOP;
    ///
    /// // Rust programs ignore SIGPIPE, and there is nothing to block.
    /// assert!(!SIGPIPE_IS_BLOCKED_BY_LOOP.get());
    /// ```
    pub static SIGPIPE_IS_BLOCKED_BY_LOOP: Cell<bool> = const { Cell::new(false) };
}
