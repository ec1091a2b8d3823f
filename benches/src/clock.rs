//! The stopwatch: the only code of the benches that reads a clock.

use std::time::{Duration, Instant};

/// A running time measurement.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts a stopwatch.
    #[expect(clippy::disallowed_methods, reason = "measuring is what this package is for")]
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Returns the mean of `count` operations since the start, in microseconds.
    #[must_use]
    pub fn micros_each(self, count: u64) -> f64 {
        self.elapsed().as_secs_f64() * 1e6 / float(count)
    }

    /// Returns the throughput of `bytes` since the start, in gigabytes (10^9) per second.
    #[must_use]
    pub fn gigabytes_per_second(self, bytes: u64) -> f64 {
        float(bytes) / 1e9 / self.elapsed().as_secs_f64()
    }
}

/// Converts a count to a float, which is exact below 2^53.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts here lie far below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}

/// Returns the value that nine of ten do not exceed.
#[must_use]
pub fn ninth_tenth(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * 9 / 10).copied().unwrap_or_default()
}
