//! The crossings of water marks, of which up to two wait to be reported.

/// A crossing of a water mark, or the fall to empty, which is reported to the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mark {
    /// The queue rose above its high mark. Not reported again until the queue was drained.
    Full,
    /// The queue was above its low mark, full or not, and fell to it or below. With a low mark of 0
    /// this means that it became empty.
    Drained,
    /// The queue became empty, and its low mark is above 0. A pending `Drained` also covers this one.
    Emptied,
}

/// The marks that wait to be reported, the older one first. The second is set only if the first is.
#[derive(Debug)]
pub(crate) struct PendingMarks([Option<Mark>; 2]);

impl PendingMarks {
    pub(crate) const fn new() -> Self {
        Self([None, None])
    }

    /// Adds a mark. The last two are kept, and two equal marks in a row count as one.
    ///
    /// Do not use it for `Emptied`, which must not displace another mark: see
    /// [`note_emptied`](Self::note_emptied).
    #[inline]
    pub(crate) fn note(&mut self, mark: Mark) {
        self.0 = match self.0 {
            [None, _] => [Some(mark), None],
            [Some(last), None] | [_, Some(last)] if last == mark => self.0,
            [older, None] => [older, Some(mark)],
            [_, newer] => [newer, Some(mark)],
        };
    }

    /// Adds `Emptied`, if no other mark is pending. A pending mark covers it: an empty queue's last
    /// mark is `Drained` or `Emptied`, and its receiver sees that the queue is empty.
    pub(crate) fn note_emptied(&mut self) {
        if self.0[0].is_none() {
            self.0[0] = Some(Mark::Emptied);
        }
    }

    #[inline]
    pub(crate) fn poll(&mut self) -> Option<Mark> {
        let mark = self.0[0]?;
        self.0 = [self.0[1], None];
        Some(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emptied_displaces_no_pending_mark() {
        let mut marks = PendingMarks::new();
        marks.note(Mark::Full);
        marks.note(Mark::Drained);
        marks.note_emptied();
        assert_eq!((marks.poll(), marks.poll()), (Some(Mark::Full), Some(Mark::Drained)));
        marks.note_emptied();
        marks.note_emptied();
        assert_eq!((marks.poll(), marks.poll()), (Some(Mark::Emptied), None));
    }
}
