//! Bounds on time, as the tests of the process transport have them.

use std::time::Duration;

#[path = "../../../process-transport/tests/util/bound.rs"]
#[expect(dead_code, reason = "it has more than these tests use")]
mod shared;

/// Four times as much where others keep the processors busy, and says so; else `usual`.
pub(crate) fn bound(usual: Duration) -> Duration {
    shared::announce();
    shared::bound(usual)
}
