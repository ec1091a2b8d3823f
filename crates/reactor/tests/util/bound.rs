//! Bounds on time, as the tests of every crate have them.

use std::time::Duration;

/// Four times as much where others keep the processors busy, and says so; else `usual`.
pub(crate) fn bound(usual: Duration) -> Duration {
    procession_test_support::announce();
    procession_test_support::bound(usual)
}
