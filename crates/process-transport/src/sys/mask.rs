//! Separates the signals that the program blocks from those that procession's event loop blocks.

use procession_core::driver::SIGPIPE_IS_BLOCKED_BY_LOOP;

/// Returns the mask that a child of this thread inherits, if it can be read.
#[cfg(all(feature = "reactor", target_os = "linux"))]
pub(crate) fn of_this_thread() -> Option<u64> {
    super::raw::mask().ok().map(inherited)
}

/// Returns `None`: every caller launches its own children here.
#[cfg(all(feature = "reactor", not(target_os = "linux")))]
pub(crate) fn of_this_thread() -> Option<u64> {
    None
}

/// Returns the program's own part of a thread's mask, one bit for each signal.
pub(super) fn inherited(mask: u64) -> u64 {
    let ours = if SIGPIPE_IS_BLOCKED_BY_LOOP.get() { 1 << (libc::SIGPIPE - 1) } else { 0 };
    mask & !ours
}
