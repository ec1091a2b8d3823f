//! The one place that asks the system for the time: monotonic, counted from the reactor's start.
//!
//! All clocks of the process stand still together while it is stopped at its terminal, if a run has
//! claimed that: what has a time limit is stopped as well.

use std::hint::spin_loop;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// What all of them count from.
static BASE: OnceLock<Instant> = OnceLock::new();

/// For how long they have stood still altogether, in nanoseconds; with [`STANDS`], what they show.
static PAUSED_NANOS: AtomicU64 = AtomicU64::new(0);

/// They stand still now. Without this bit there is room for 292 years.
const STANDS: u64 = 1 << 63;

/// They are about to stand still: what they will show is being read, and is later than whatever was
/// read before.
const HALTS: u64 = u64::MAX;

/// A reactor's time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReactorClock {
    start: Duration,
}

impl ReactorClock {
    pub(crate) fn new() -> Self {
        Self { start: shown() }
    }

    /// The time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        shown().saturating_sub(self.start)
    }

    /// The point in time, or `None` if it is farther away than the system can say.
    pub(crate) fn instant(self, at: Duration) -> Option<Instant> {
        let still = still();
        if still & STANDS != 0 {
            return now().checked_add(at.saturating_sub(self.elapsed()));
        }
        let since_base = self.start.checked_add(at)?.checked_add(Duration::from_nanos(still))?;
        base().checked_add(since_base)
    }
}

/// Has all clocks stand still until this is dropped; there is one at a time.
#[must_use = "they go on when this is dropped"]
pub(crate) struct ClockPause(());

impl ClockPause {
    pub(crate) fn begin() -> Self {
        let still = PAUSED_NANOS.swap(HALTS, SeqCst);
        // Whoever reads the time earlier than this finds that it is old, or has read less.
        let shown = nanos(since_base()).saturating_sub(still);
        PAUSED_NANOS.store(shown | STANDS, SeqCst);
        Self(())
    }
}

impl Drop for ClockPause {
    fn drop(&mut self) {
        let shown = PAUSED_NANOS.load(SeqCst) & !STANDS;
        PAUSED_NANOS.store(nanos(since_base()).saturating_sub(shown), SeqCst);
    }
}

/// What the clocks of this process show.
fn shown() -> Duration {
    loop {
        let still = still();
        if still & STANDS != 0 {
            return Duration::from_nanos(still & !STANDS);
        }
        let time = since_base();
        // A thread that was stopped between the two has an old time, or an old sum.
        if PAUSED_NANOS.load(SeqCst) == still {
            return time.saturating_sub(Duration::from_nanos(still));
        }
    }
}

/// [`PAUSED_NANOS`], where the clocks are not just about to stand.
fn still() -> u64 {
    loop {
        match PAUSED_NANOS.load(SeqCst) {
            HALTS => spin_loop(),
            still => return still,
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) & !STANDS
}

fn since_base() -> Duration {
    let base = base();
    now().saturating_duration_since(base)
}

fn base() -> Instant {
    *BASE.get_or_init(now)
}

#[expect(clippy::disallowed_methods, reason = "this is the reactor's clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::{Mutex, PoisonError};
    use std::thread;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(20);

    fn spin() {
        let end = now() + MOMENT;
        while now() < end {
            spin_loop();
        }
    }

    /// Held while the clocks of this process are made to stand.
    static ONE: Mutex<()> = Mutex::new(());

    #[test]
    fn a_clock_that_stops_under_its_readers_never_goes_back() {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let clock = ReactorClock::new();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut last = clock.elapsed();
                while !is_over.load(SeqCst) {
                    let next = clock.elapsed();
                    assert!(next >= last, "{last:?} {next:?}");
                    last = next;
                }
            });
            for _ in 0..100_000 {
                drop(ClockPause::begin());
            }
            is_over.store(true, SeqCst);
            reader.join().unwrap();
        });
    }

    #[test]
    fn clocks_stand_still_and_go_on_where_they_stood() {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ReactorClock::new();
        let watcher = thread::spawn(move || {
            // Never backwards, however it is interrupted.
            let end = now() + MOMENT * 5;
            let mut last = first.elapsed();
            while now() < end {
                let next = first.elapsed();
                assert!(next >= last, "{last:?} {next:?}");
                last = next;
            }
        });
        for _ in 0..2 {
            let begun = now();
            let before = first.elapsed();
            let pause = ClockPause::begin();
            let stood = first.elapsed();
            let inside = now();
            spin();
            assert_eq!(first.elapsed(), stood);
            let second = ReactorClock::new();
            assert_eq!(second.elapsed(), Duration::ZERO);
            let due = first.instant(stood + MOMENT).unwrap();
            assert!(due >= inside + MOMENT);
            let outside = now();
            drop(pause);
            let after = first.elapsed();
            assert!(after >= stood && stood >= before);
            let passed = now().saturating_duration_since(begun);
            assert!(after - before <= passed - (outside - inside), "{before:?} {after:?}");
            let due = first.instant(after + MOMENT).unwrap();
            assert!(due >= outside + MOMENT && due <= now() + MOMENT);
            assert!(second.elapsed() < after);
        }
        watcher.join().unwrap();
        assert_eq!(first.instant(Duration::MAX), None);
    }
}
