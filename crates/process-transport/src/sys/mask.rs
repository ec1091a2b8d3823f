//! Which signals are blocked by the program, and which by procession's event loop.

use procession_core::driver::SIGPIPE_IS_BLOCKED_BY_LOOP;

/// The mask that the program has set of a thread's mask, one bit a signal.
pub(super) fn inherited(mask: u64) -> u64 {
    let ours = if SIGPIPE_IS_BLOCKED_BY_LOOP.get() { 1 << (libc::SIGPIPE - 1) } else { 0 };
    mask & !ours
}
