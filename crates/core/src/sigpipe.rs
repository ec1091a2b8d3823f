//! A flag for each thread: its loop blocks SIGPIPE. The code that blocks the signal sets it; the code
//! that passes the thread's signal mask on to a child reads it.

use std::cell::Cell;

thread_local! {
    /// Whether the loop of this thread blocks SIGPIPE, and not the program itself.
    ///
    /// The loop blocks SIGPIPE during a turn, if the program does not ignore the signal. It sets this
    /// value together with the system call that changes the mask. Code that passes the thread's mask on
    /// to a child removes SIGPIPE from it if this is set.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::driver::core::SIGPIPE_IS_BLOCKED_BY_LOOP;
    ///
    /// // Rust programs ignore SIGPIPE, so the loop does not block it.
    /// assert!(!SIGPIPE_IS_BLOCKED_BY_LOOP.get());
    /// ```
    pub static SIGPIPE_IS_BLOCKED_BY_LOOP: Cell<bool> = const { Cell::new(false) };
}
