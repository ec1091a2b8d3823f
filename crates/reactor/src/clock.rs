//! The one place that asks the system for the time: monotonic, counted from the reactor's start.

use std::time::{Duration, Instant};

/// A reactor's time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReactorClock {
    start: Instant,
}

impl ReactorClock {
    pub(crate) fn new() -> Self {
        Self { start: now() }
    }

    /// The time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        now().saturating_duration_since(self.start)
    }

    /// The point in time, or `None` if it is farther away than the system can say.
    pub(crate) fn instant(self, at: Duration) -> Option<Instant> {
        self.start.checked_add(at)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the reactor's clock")]
fn now() -> Instant {
    Instant::now()
}
