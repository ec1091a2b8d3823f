//! The crossings of water marks, and the two of them that may wait to be told.

/// A crossing of a water mark, to be told to whoever writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mark {
    /// The queue rose above its high mark; not said again before it was drained.
    Full,
    /// The queue fell to its low mark or below after having been above it, full or not.
    Drained,
}

/// The marks to tell, the older one first; the second is never the only one.
#[derive(Debug)]
pub(crate) struct Marks([Option<Mark>; 2]);

impl Marks {
    pub(crate) const fn new() -> Self {
        Self([None, None])
    }

    /// The last two are kept, and two of one kind in a row are one.
    #[inline]
    pub(crate) fn note(&mut self, mark: Mark) {
        self.0 = match self.0 {
            [None, _] => [Some(mark), None],
            [Some(last), None] | [_, Some(last)] if last == mark => self.0,
            [older, None] => [older, Some(mark)],
            [_, newer] => [newer, Some(mark)],
        };
    }

    #[inline]
    pub(crate) fn poll(&mut self) -> Option<Mark> {
        let mark = self.0[0];
        self.0 = [self.0[1], None];
        mark
    }
}
