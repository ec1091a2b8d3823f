//! Keeps the loop from turning.

use std::time::Duration;

use procession_reactor::Handle;

/// Returns after `duration`, without waiting.
pub(crate) fn block(reactor: &Handle, duration: Duration) {
    let end = reactor.now() + duration;
    while reactor.now() < end {
        std::hint::spin_loop();
    }
}
