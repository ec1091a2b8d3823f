//! The only place where the blocking verbs read a clock.

use std::time::{Duration, Instant};

/// Returns the current time of the monotonic clock.
#[expect(clippy::disallowed_methods, reason = "there is no loop whose clock it could be")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Returns how long ago `then` was.
#[cfg(feature = "reactor")]
pub(crate) fn since(then: Instant) -> Duration {
    now().saturating_duration_since(then)
}

/// Returns the instant that lies `time` ahead; `None` if it is beyond the clock's range.
pub(super) fn after(time: Duration) -> Option<Instant> {
    now().checked_add(time)
}

/// The time since a start.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(now())
    }

    /// Returns the time since the start, on the monotonic clock.
    pub fn now(&self) -> Duration {
        now().saturating_duration_since(self.0)
    }
}
