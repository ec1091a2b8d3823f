//! Prevents SIGPIPE from ending or disturbing a program because of the reactor's own writes.
//!
//! Rust programs start with SIGPIPE ignored, and then there is nothing to do. In other programs (a
//! C program with a Rust library in it, a program that restored the default) the loop's thread
//! blocks the signal while a turn runs, and while a pipe is flushed outside a turn. It takes a
//! signal that became pending meanwhile before it restores the mask. A thread that is started
//! inside a callback inherits the mask. A child need not: `SIGPIPE_IS_BLOCKED_BY_LOOP` says whether
//! to unblock it.

use std::marker::PhantomData;

use procession_core::driver::SIGPIPE_IS_BLOCKED_BY_LOOP;

use super::signals::{Disposition, disposition};
use super::sigpipe_mask as mask;

/// SIGPIPE is blocked in this thread until this value is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct SigpipeBlocked {
    /// SIGPIPE was not blocked before: unblock it at the end.
    unblock: bool,
    /// A mask belongs to a thread.
    _not_send: PhantomData<*const ()>,
}

/// Blocks SIGPIPE in this thread. `None` if nothing has to be undone.
pub(crate) fn block() -> Option<SigpipeBlocked> {
    // The number is valid, so this cannot fail. If it did, doing nothing would be right.
    let Ok(Disposition::Default | Disposition::Handler) = disposition(libc::SIGPIPE) else {
        return None;
    };
    let blocked_before = mask::block()?;
    if blocked_before && mask::is_pending() {
        return None; // the pending signal is not ours, and ours would be merged with it
    }
    if !blocked_before {
        SIGPIPE_IS_BLOCKED_BY_LOOP.set(true);
    }
    Some(SigpipeBlocked { unblock: !blocked_before, _not_send: PhantomData })
}

impl Drop for SigpipeBlocked {
    fn drop(&mut self) {
        mask::take();
        if self.unblock {
            SIGPIPE_IS_BLOCKED_BY_LOOP.set(false);
            mask::unblock();
        }
    }
}
