//! Polls for a moment before a sleep that would end at once.
//!
//! On a machine whose other processors are idle, sleeping and waking costs a loop some 20 µs. A
//! caller that expects an event sooner announces it
//! ([`Io::expect_soon`](crate::driver::Io::expect_soon)). Then the loop polls for about that long
//! before it sleeps. Between two polls it yields the processor. Wrong announcements are trusted
//! less and less: a program whose announcements are never right pays for one in 64. So does a program on a
//! busy machine, where a yield gives the processor to others for long, and a sleep would have ended sooner.
//!
//! A transport may also yield once by itself ([`Io::yield_briefly`](crate::driver::Io::yield_briefly)), so
//! that another process can finish what it has begun. The same rule holds for these yields.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

/// How long the loop polls before it sleeps: about what the sleep would cost.
pub(crate) const POLL_TIME: Duration = Duration::from_micros(20);

/// An event that comes later than this, because a yield took so long, is no reason to poll again.
const LATE: Duration = Duration::from_micros(200);

/// In the end, one of 2 to the power of this many chances is taken.
const MAX_DOUBTS: u32 = 6;

/// Whether an event is expected, and whether polls and yields have paid lately.
#[derive(Debug, Default)]
pub(crate) struct Anticipation {
    expected: Cell<bool>,
    polls: Doubts,
    yields: Doubts,
}

impl Anticipation {
    pub(crate) fn on_expected(&self) {
        if self.polls.is_due() {
            self.expected.set(true);
        }
    }

    /// Returns whether to poll before the next sleep, and resets the answer.
    pub(crate) fn take(&self) -> bool {
        self.expected.take()
    }

    /// Notes whether an event came while the loop polled, which took this long.
    pub(crate) fn on_polled(&self, came: bool, spent: Duration) {
        self.polls.on_taken(came && spent <= LATE);
    }

    /// Yields the processor, unless the last yields took long. `now` reads a clock.
    pub(crate) fn yield_briefly(&self, now: impl Fn() -> Duration) {
        if self.yields.is_due() {
            let begun = now();
            thread::yield_now();
            self.yields.on_taken(now().saturating_sub(begun) <= LATE);
        }
    }
}

/// Chances that are taken less and less while they do not pay.
#[derive(Debug, Default)]
struct Doubts {
    /// How many more chances did not pay than did, lately.
    doubts: Cell<u32>,
    /// How many chances are left out before the next one is taken.
    left_out: Cell<u32>,
}

impl Doubts {
    /// Returns whether to take this chance.
    fn is_due(&self) -> bool {
        let left_out = self.left_out.get();
        self.left_out.set(left_out.saturating_sub(1));
        left_out == 0
    }

    /// Notes whether a chance that was taken has paid.
    fn on_taken(&self, paid: bool) {
        // Changed one by one: events that come now and then, as those of others do, are not the
        // expected ones.
        let doubts = self.doubts.get();
        let doubts = if paid { doubts.saturating_sub(1) } else { (doubts + 1).min(MAX_DOUBTS) };
        self.doubts.set(doubts);
        self.left_out.set((1 << doubts) - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::{Anticipation, LATE, POLL_TIME};

    #[test]
    fn wrong_expectations_are_trusted_less_and_less() {
        let anticipation = Anticipation::default();
        let trusted = |anticipation: &Anticipation| {
            anticipation.on_expected();
            anticipation.take()
        };
        assert!(!anticipation.take());
        let polls = (0..640).filter(|_| {
            let polls = trusted(&anticipation);
            if polls {
                anticipation.on_polled(false, POLL_TIME);
            }
            polls
        });
        assert!((10..20).contains(&polls.count()));
        let mut asked = 0;
        for _ in 0..6 {
            while !trusted(&anticipation) {
                asked += 1;
            }
            anticipation.on_polled(true, POLL_TIME);
        }
        assert!(asked < 128, "{asked}");
        assert!(trusted(&anticipation), "expectations that are always right are trusted again");
    }

    #[test]
    fn an_event_that_comes_late_is_no_reason_to_poll() {
        let anticipation = Anticipation::default();
        for spent in [LATE * 2, LATE] {
            anticipation.on_expected();
            assert!(anticipation.take());
            anticipation.on_polled(true, spent);
            anticipation.on_expected();
            assert_eq!(anticipation.take(), spent == LATE);
        }
    }

    #[test]
    fn two_expectations_cause_one_poll() {
        let anticipation = Anticipation::default();
        anticipation.on_expected();
        anticipation.on_expected();
        assert!(anticipation.take());
        assert!(!anticipation.take());
    }

    #[test]
    fn long_yields_are_left_out_more_and_more() {
        let anticipation = Anticipation::default();
        let clock = Cell::new(Duration::ZERO);
        // Each reading of the clock is `spent` after the one before it.
        let taken = |chances: u32, spent: Duration| {
            let before = clock.get();
            (0..chances).for_each(|_| {
                anticipation.yield_briefly(|| clock.replace(clock.get() + spent));
            });
            (clock.get() - before).div_duration_f64(spent * 2)
        };
        assert_eq!(taken(100, LATE), 100.0, "this is still short");
        assert!((10.0..20.0).contains(&taken(640, LATE * 2)));
        assert!(taken(200, LATE) > 60.0, "short ones are soon taken again");
        assert_eq!(taken(100, LATE), 100.0);
    }
}
