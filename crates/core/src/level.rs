//! The fill level of a queue: its water marks, and the crossings that are to be reported.

use crate::mark::{Mark, PendingMarks};

/// The position of a queue's length relative to its water marks.
#[derive(Debug)]
pub(crate) struct Level {
    high: usize,
    /// At most `high`.
    low: usize,
    /// The length was above `low` since the last `Drained`, so the next fall reports `Drained`.
    armed: bool,
    /// `Full` was reported, and `Drained` was not reported since.
    full: bool,
    marks: PendingMarks,
}

impl Level {
    pub(crate) const fn new(high: usize, low: usize) -> Self {
        Self { high, low, armed: false, full: false, marks: PendingMarks::new() }
    }

    /// Sets the water marks; a low mark above the high one counts as equal to it.
    pub(crate) fn set_limits(&mut self, high: usize, low: usize) {
        self.high = high;
        self.low = low.min(high);
    }

    /// Returns the water marks, the high one first.
    pub(crate) fn limits(&self) -> (usize, usize) {
        (self.high, self.low)
    }

    /// Records the current length of the queue.
    #[inline]
    pub(crate) fn note(&mut self, len: usize) {
        if len > self.low {
            self.armed = true;
        }
        if len > self.high && !self.full {
            self.full = true;
            self.marks.note(Mark::Full);
        }
        if len <= self.low && self.armed {
            self.armed = false;
            self.full = false;
            self.marks.note(Mark::Drained);
        }
    }

    /// Records that a write has emptied the queue.
    #[inline]
    pub(crate) fn note_emptied(&mut self) {
        self.marks.note_emptied();
    }

    /// Returns the next crossing to report.
    #[inline]
    pub(crate) fn poll_mark(&mut self) -> Option<Mark> {
        self.marks.poll()
    }

    /// Forgets every crossing, reported or not; the water marks stay.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(self.high, self.low);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_low_mark_of_zero_every_rise_is_followed_by_one_drained() {
        let mut level = Level::new(10, 0);
        for _ in 0..3 {
            level.note(1);
            assert_eq!(level.poll_mark(), None);
            level.note(0);
            assert_eq!((level.poll_mark(), level.poll_mark()), (Some(Mark::Drained), None));
        }
    }

    #[test]
    fn full_is_reported_once_until_drained() {
        let mut level = Level::new(10, 0);
        level.note(10);
        assert_eq!(level.poll_mark(), None, "at the mark is not above it");
        level.note(11);
        assert_eq!(level.poll_mark(), Some(Mark::Full));
        level.note(1);
        level.note(21);
        assert_eq!(level.poll_mark(), None);
    }

    #[test]
    fn marks_that_were_not_polled_wait_in_order() {
        let mut level = Level::new(10, 0);
        level.note(11);
        level.note(0);
        assert_eq!((level.poll_mark(), level.poll_mark()), (Some(Mark::Full), Some(Mark::Drained)));
        assert_eq!(level.poll_mark(), None);
    }

    #[test]
    fn the_last_two_of_the_marks_never_polled_are_kept() {
        let mut level = Level::new(0, 0);
        for _ in 0..3 {
            level.note(1);
            level.note(0);
        }
        assert_eq!((level.poll_mark(), level.poll_mark()), (Some(Mark::Full), Some(Mark::Drained)));
        assert_eq!(level.poll_mark(), None);
    }

    #[test]
    fn forget_drops_the_marks_and_keeps_the_limits() {
        let mut level = Level::new(10, 5);
        level.note(11);
        level.forget();
        level.note(0);
        assert_eq!((level.poll_mark(), level.limits()), (None, (10, 5)));
    }
}
