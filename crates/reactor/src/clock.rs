//! The reactor's clock: monotonic, counted from the reactor's start. Only this module asks the
//! system for the time.
//!
//! If a run has claimed SIGTSTP, all clocks of the process stand still together while the process
//! is stopped at its terminal, because the children with time limits are stopped as well.

use std::cell::Cell;
use std::hint::spin_loop;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// The point in time that all clocks count from.
static BASE: OnceLock<Instant> = OnceLock::new();

/// How long the clocks have stood still in total, in nanoseconds. With [`PAUSED`] set, the time
/// that the clocks show.
static PAUSED_NANOS: AtomicU64 = AtomicU64::new(0);

/// The bit that says that the clocks stand still now. The remaining bits have room for 292 years.
const PAUSED: u64 = 1 << 63;

/// The value while a pause begins: the time that the clocks will show is being read. It is later
/// than any time read before.
const PAUSING: u64 = u64::MAX;

/// A value that [`PAUSED_NANOS`] never has: the clocks would have to stop in 292 years.
const NO_SUM: u64 = PAUSING - 1;

/// A reactor's time.
#[derive(Debug, Clone)]
pub(crate) struct ReactorClock {
    start: Duration,
    /// The system's time at the start. Only differences to it count, and only as long as
    /// [`PAUSED_NANOS`] is `still`.
    begun: Instant,
    /// [`PAUSED_NANOS`] at the start; [`NO_SUM`] if the clocks stood still then, and for a fake clock.
    still: Cell<u64>,
    /// The time, if a test decides about it.
    fake: Cell<Option<Duration>>,
}

impl ReactorClock {
    pub(crate) fn new() -> Self {
        let base = base(); // before `begun`
        loop {
            let still = paused_nanos();
            let begun = now();
            if still & PAUSED != 0 {
                return Self::since(shown(), begun, NO_SUM);
            }
            // If no pause came in between, what the clocks show at `begun` is known.
            if PAUSED_NANOS.load(SeqCst) == still {
                let since_base = begun.saturating_duration_since(base);
                let start = since_base.saturating_sub(Duration::from_nanos(still));
                return Self::since(start, begun, still);
            }
        }
    }

    fn since(start: Duration, begun: Instant, still: u64) -> Self {
        Self { start, begun, still: Cell::new(still), fake: Cell::new(None) }
    }

    /// Makes the clock stand still, until [`advance`](Self::advance).
    pub(crate) fn make_fake(&self) {
        self.fake.set(Some(self.elapsed()));
        self.still.set(NO_SUM);
    }

    pub(crate) fn is_fake(&self) -> bool {
        self.fake.get().is_some()
    }

    /// Moves a fake clock.
    pub(crate) fn advance(&self, by: Duration) {
        self.fake.set(self.fake.get().map(|time| time.saturating_add(by)));
    }

    /// Returns the time since the start.
    #[inline]
    pub(crate) fn elapsed(&self) -> Duration {
        // Nearly always there was no pause since the start.
        if PAUSED_NANOS.load(SeqCst) == self.still.get() {
            let now = now();
            // As in `shown`.
            if PAUSED_NANOS.load(SeqCst) == self.still.get() {
                return now.saturating_duration_since(self.begun);
            }
        }
        self.elapsed_with_pauses()
    }

    #[cold]
    fn elapsed_with_pauses(&self) -> Duration {
        self.fake.get().unwrap_or_else(|| shown().saturating_sub(self.start))
    }

    /// Returns the time `at` as an `Instant`, or `None` if the system cannot represent it.
    pub(crate) fn instant(&self, at: Duration) -> Option<Instant> {
        let still = paused_nanos();
        if still & PAUSED != 0 || self.is_fake() {
            return now().checked_add(at.saturating_sub(self.elapsed()));
        }
        let since_base = self.start.checked_add(at)?.checked_add(Duration::from_nanos(still))?;
        base().checked_add(since_base)
    }
}

/// Has all clocks stand still until dropped. There is at most one at a time.
#[must_use = "the clocks continue when this is dropped"]
pub(crate) struct ClockPause(());

impl ClockPause {
    pub(crate) fn begin() -> Self {
        let still = PAUSED_NANOS.swap(PAUSING, SeqCst);
        // A thread that read the time before this sees that its sum is out of date, or has read an
        // earlier time.
        let shown = nanos(since_base()).saturating_sub(still);
        PAUSED_NANOS.store(shown | PAUSED, SeqCst);
        Self(())
    }
}

impl Drop for ClockPause {
    fn drop(&mut self) {
        let shown = PAUSED_NANOS.load(SeqCst) & !PAUSED;
        PAUSED_NANOS.store(nanos(since_base()).saturating_sub(shown), SeqCst);
    }
}

/// Returns what the clocks of this process show.
fn shown() -> Duration {
    loop {
        let still = paused_nanos();
        if still & PAUSED != 0 {
            return Duration::from_nanos(still & !PAUSED);
        }
        let time = since_base();
        // A thread that was suspended between the two loads may hold an old time or an old sum.
        if PAUSED_NANOS.load(SeqCst) == still {
            return time.saturating_sub(Duration::from_nanos(still));
        }
    }
}

/// Returns [`PAUSED_NANOS`], after waiting for a pause that is just beginning.
fn paused_nanos() -> u64 {
    loop {
        match PAUSED_NANOS.load(SeqCst) {
            PAUSING => spin_loop(),
            still => return still,
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) & !PAUSED
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

    /// Held while a test makes the clocks of this process stand still.
    static PAUSE_LOCK: Mutex<()> = Mutex::new(());

    #[test]
    fn a_clock_that_stops_under_its_readers_never_goes_back() {
        let _one = PAUSE_LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        let clock = ReactorClock::new();
        let is_over = &AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(move || {
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

    /// A clock that was made before a pause, one that was made in it, and one after it.
    #[test]
    fn clocks_agree_whenever_they_were_made() {
        let _one = PAUSE_LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        let before = ReactorClock::new();
        spin();
        let pause = ClockPause::begin();
        let within = ReactorClock::new();
        let made = before.elapsed();
        spin();
        assert_eq!((before.elapsed(), within.elapsed()), (made, Duration::ZERO));
        drop(pause);
        spin();
        let after = ReactorClock::new();
        spin();
        // Each difference holds between two looks at the older clock.
        let (earliest, one, other, latest) =
            (before.elapsed(), within.elapsed(), after.elapsed(), before.elapsed());
        assert!(one + made >= earliest && one + made <= latest, "{earliest:?} {one:?} {latest:?}");
        let since = before.instant(earliest).unwrap();
        assert!(other <= latest - made - MOMENT, "{other:?} {latest:?}");
        assert!(after.instant(other).unwrap() >= since);
        assert!(after.instant(other).unwrap() <= now());
    }

    #[test]
    fn clocks_stand_still_and_go_on_where_they_stood() {
        let _one = PAUSE_LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ReactorClock::new();
        let watched = first.clone();
        let watcher = thread::spawn(move || {
            // The clock never goes backwards, however often it is paused.
            let end = now() + MOMENT * 5;
            let mut last = watched.elapsed();
            while now() < end {
                let next = watched.elapsed();
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
