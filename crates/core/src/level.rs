//! How full a queue is: its water marks, and the crossings of them that are to be told.

use crate::mark::{Mark, Marks};

/// Where a queue stands between its water marks.
#[derive(Debug)]
pub(crate) struct Level {
    high: usize,
    /// At most `high`.
    low: usize,
    /// Above `low` at some time since the last `Drained`: the next one is owed.
    armed: bool,
    /// `Full` was said and `Drained` was not said since.
    full: bool,
    marks: Marks,
}

impl Level {
    pub(crate) const fn new(high: usize, low: usize) -> Self {
        Self { high, low, armed: false, full: false, marks: Marks::new() }
    }

    /// Moves the water marks; a low mark above the high one counts as equal to it.
    pub(crate) fn set_limits(&mut self, high: usize, low: usize) {
        self.high = high;
        self.low = low.min(high);
    }

    /// Returns the water marks, the high one first.
    pub(crate) fn limits(&self) -> (usize, usize) {
        (self.high, self.low)
    }

    /// Notes the length that the queue has now.
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

    /// Notes that the queue, of which something was written, is empty now.
    #[inline]
    pub(crate) fn note_emptied(&mut self) {
        self.marks.note_emptied();
    }

    /// Returns the next crossing to tell.
    #[inline]
    pub(crate) fn poll_mark(&mut self) -> Option<Mark> {
        self.marks.poll()
    }

    /// Forgets every crossing, told or not; the water marks stay.
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
    fn full_is_said_once_until_drained() {
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
    fn of_marks_never_polled_the_last_two_are_kept() {
        let mut level = Level::new(0, 0);
        for _ in 0..3 {
            level.note(1);
            level.note(0);
        }
        assert_eq!((level.poll_mark(), level.poll_mark()), (Some(Mark::Full), Some(Mark::Drained)));
        assert_eq!(level.poll_mark(), None);
    }

    #[test]
    fn what_is_forgotten_is_owed_no_mark_and_the_limits_stay() {
        let mut level = Level::new(10, 5);
        level.note(11);
        level.forget();
        level.note(0);
        assert_eq!((level.poll_mark(), level.limits()), (None, (10, 5)));
    }
}
