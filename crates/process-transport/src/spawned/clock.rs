//! The one place of the blocking verbs that reads a clock.

use std::time::{Duration, Instant};

/// Now, on the monotonic clock.
#[expect(clippy::disallowed_methods, reason = "there is no loop whose clock it could be")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// How long ago it was.
#[cfg(feature = "reactor")]
pub(crate) fn since(then: Instant) -> Duration {
    now().saturating_duration_since(then)
}

/// That long from now; `None` where it never comes.
pub(super) fn after(time: Duration) -> Option<Instant> {
    now().checked_add(time)
}
