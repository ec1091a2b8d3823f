//! Polls for a moment before a sleep that would end at once.
//!
//! On a machine whose other processors are idle, sleeping and waking costs a loop some 20 µs. A
//! caller that expects an event sooner announces it
//! ([`Io::expect_soon`](crate::driver::Io::expect_soon)). Then the loop polls for about that long
//! before it sleeps. Between two polls it yields the processor. Wrong announcements are trusted
//! less and less: a program whose announcements are never right pays for one in 64. So does a program on a
//! busy machine, where a yield gives the processor to others for long, and a sleep would have ended sooner.

use std::cell::Cell;
use std::time::Duration;

/// How long the loop polls before it sleeps: about what the sleep would cost.
pub(crate) const POLL_TIME: Duration = Duration::from_micros(20);

/// An event that comes later than this, because a yield took so long, is no reason to poll again.
const LATE: Duration = Duration::from_micros(200);

/// In the end, one of 2 to the power of this many announcements is trusted.
const MAX_DOUBTS: u32 = 6;

/// Whether an event is expected, and how often such an announcement was right.
#[derive(Debug, Default)]
pub(crate) struct Anticipation {
    expected: Cell<bool>,
    /// How many more announcements were wrong than right, lately.
    doubts: Cell<u32>,
    /// How many announcements are ignored before the next one is trusted.
    ignored: Cell<u32>,
}

impl Anticipation {
    pub(crate) fn on_expected(&self) {
        match self.ignored.get() {
            0 => self.expected.set(true),
            ignored => self.ignored.set(ignored - 1),
        }
    }

    /// Returns whether to poll before the next sleep, and resets the answer.
    pub(crate) fn take(&self) -> bool {
        self.expected.take()
    }

    /// Notes whether an event came while the loop polled, which took this long.
    pub(crate) fn on_polled(&self, came: bool, spent: Duration) {
        let came = came && spent <= LATE;
        // Changed one by one: events that come now and then, as those of others do, are not the
        // expected ones.
        let doubts = self.doubts.get();
        let doubts = if came { doubts.saturating_sub(1) } else { (doubts + 1).min(MAX_DOUBTS) };
        self.doubts.set(doubts);
        self.ignored.set((1 << doubts) - 1);
    }
}

#[cfg(test)]
mod tests {
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
}
