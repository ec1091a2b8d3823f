//! The crossings of water marks, and the two of them that may wait to be told.

/// A crossing of a water mark, or of the bottom, to be told to whoever writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mark {
    /// The queue rose above its high mark; not said again before it was drained.
    Full,
    /// The queue fell to its low mark or below after having been above it, full or not. With a low
    /// mark of 0 it became empty.
    Drained,
    /// The queue became empty, and its low mark is above 0. A `Drained` that was not told by then
    /// stands for both.
    Emptied,
}

/// The marks to tell, the older one first; the second is never the only one.
#[derive(Debug)]
pub(crate) struct Marks([Option<Mark>; 2]);

impl Marks {
    pub(crate) const fn new() -> Self {
        Self([None, None])
    }

    /// The last two are kept, and two of one kind in a row are one.
    ///
    /// Not for `Emptied`, which must not push out a mark that a program is told: see
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

    /// Only where nothing is to be told: a queue that is empty was drained last, or emptied, and
    /// whoever is told so sees that it is empty.
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
    fn an_emptied_pushes_out_no_mark_that_waits() {
        let mut marks = Marks::new();
        marks.note(Mark::Full);
        marks.note(Mark::Drained);
        marks.note_emptied();
        assert_eq!((marks.poll(), marks.poll()), (Some(Mark::Full), Some(Mark::Drained)));
        marks.note_emptied();
        marks.note_emptied();
        assert_eq!((marks.poll(), marks.poll()), (Some(Mark::Emptied), None));
    }
}
