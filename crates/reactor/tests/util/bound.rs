//! Time limits, as in the tests of every crate.

use std::time::Duration;

/// Returns four times `usual` on a busy machine, and prints a line about it; else `usual`.
pub(crate) fn bound(usual: Duration) -> Duration {
    procession_test_support::announce();
    procession_test_support::bound(usual)
}
