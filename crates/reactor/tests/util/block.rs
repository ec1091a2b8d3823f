//! Blocks the loop's thread.

use std::time::Duration;

use procession_reactor::Handle;

/// Keeps the thread busy for `duration`.
pub(crate) fn block(reactor: &Handle, duration: Duration) {
    let end = reactor.now() + duration;
    while reactor.now() < end {
        std::hint::spin_loop();
    }
}
