//! Which signals are blocked by the program, and which by procession's event loop.

use procession_core::sigpipe;

/// The mask that the program has set of a thread's mask, one bit a signal.
pub(super) fn inherited(mask: u64) -> u64 {
    let ours = if sigpipe::is_blocked_by_loop() { 1 << (libc::SIGPIPE - 1) } else { 0 };
    mask & !ours
}
