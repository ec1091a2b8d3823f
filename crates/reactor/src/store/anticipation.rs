//! A moment of polling before a sleep that would be over at once.
//!
//! To sleep and be woken costs a loop some 20 µs on a machine whose other processors idle. Whoever
//! knows that an event may come sooner says so ([`Io::expect_soon`](crate::driver::Io::expect_soon)),
//! and the loop looks for it for about as long before it sleeps, giving the processor to whoever
//! wants it between two looks. Where nothing comes it believes this less and less often: a program
//! for which it is never true pays for one time in 64.

use std::cell::Cell;
use std::time::Duration;

/// How long the loop looks before it sleeps after all: about what the sleep would cost.
pub(crate) const LOOK_FOR: Duration = Duration::from_micros(20);

/// Of 2 to the power of this many, one is believed in the end.
const MOST_DOUBTS: u32 = 6;

/// Whether an event is expected, and how often that was right.
#[derive(Debug, Default)]
pub(crate) struct Anticipation {
    expected: Cell<bool>,
    /// How much more often nothing came than something, lately.
    doubts: Cell<u32>,
    /// How many are not believed before the next one is.
    ignored: Cell<u32>,
}

impl Anticipation {
    pub(crate) fn on_expected(&self) {
        match self.ignored.get() {
            0 => self.expected.set(true),
            ignored => self.ignored.set(ignored - 1),
        }
    }

    /// Whether to look before the next sleep, which is asked once.
    pub(crate) fn take(&self) -> bool {
        self.expected.take()
    }

    /// What became of it.
    pub(crate) fn on_looked(&self, came: bool) {
        // One by one: what comes now and then, as the events of others do, is not what was expected.
        let doubts = self.doubts.get();
        let doubts = if came { doubts.saturating_sub(1) } else { (doubts + 1).min(MOST_DOUBTS) };
        self.doubts.set(doubts);
        self.ignored.set((1 << doubts) - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::Anticipation;

    #[test]
    fn what_is_never_true_is_believed_less_and_less() {
        let anticipation = Anticipation::default();
        let believed = |anticipation: &Anticipation| {
            anticipation.on_expected();
            anticipation.take()
        };
        assert!(!anticipation.take());
        let looks = (0..640).filter(|_| {
            let looks = believed(&anticipation);
            if looks {
                anticipation.on_looked(false);
            }
            looks
        });
        assert!((10..20).contains(&looks.count()));
        let mut asked = 0;
        for _ in 0..6 {
            while !believed(&anticipation) {
                asked += 1;
            }
            anticipation.on_looked(true);
        }
        assert!(asked < 128, "{asked}");
        assert!(believed(&anticipation), "what always comes is believed again");
    }

    #[test]
    fn one_expectation_is_one_look() {
        let anticipation = Anticipation::default();
        anticipation.on_expected();
        anticipation.on_expected();
        assert!(anticipation.take());
        assert!(!anticipation.take());
    }
}
