//! Makes a write without SIGPIPE, for a thread that has no loop.
//!
//! Rust programs start with SIGPIPE ignored, and then there is nothing to do. In other programs the
//! thread blocks the signal during the call, and takes one that became pending by it.
#![expect(unsafe_code, reason = "dispositions have no safe interface")]

use std::mem::MaybeUninit;
use std::ptr;

use super::sigpipe_mask as mask;

/// Calls `write`. SIGPIPE neither ends nor disturbs the program because of it.
pub(crate) fn without_sigpipe<R>(write: impl FnOnce() -> R) -> R {
    if is_ignored() {
        return write();
    }
    let Some(was_blocked) = mask::block() else { return write() };
    // A signal that was pending before is not ours, and ours is merged with it.
    let was_pending = was_blocked && mask::is_pending();
    let result = write();
    if !was_pending {
        mask::take();
    }
    if !was_blocked {
        mask::unblock();
    }
    result
}

fn is_ignored() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null action only asks; the other pointer is valid for the call.
    let answer = unsafe { libc::sigaction(libc::SIGPIPE, ptr::null(), action.as_mut_ptr()) };
    if answer != 0 {
        return true;
    }
    // SAFETY: the call has filled it, because it has succeeded.
    unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}
