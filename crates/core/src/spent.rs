//! Chunks that a write queue no longer needs.
//!
//! Dropping a [`Bytes`] can run foreign code (`Bytes::from_owner`). A queue may be borrowed at that
//! moment, so it drops no chunk itself but returns it to its caller.

use std::{iter, option, vec};

use bytes::Bytes;

/// Chunks that a queue no longer needs. Drop them while nothing is borrowed.
///
/// The first chunk costs no allocation.
///
/// # Examples
///
/// ```
/// use procession::IntoBytes;
/// use procession::driver::core::{WithCell, WriteQueue};
///
/// let queue = WithCell::new(WriteQueue::new());
/// queue.with(|queue| queue.on_write("abc".into_bytes()))?;
/// let spent = queue.with(|queue| queue.on_written(3));
/// drop(spent); // the queue is not borrowed here
/// # Ok::<(), procession::WriteError>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "drop it while nothing is borrowed: chunks may run foreign destructors"]
pub struct Spent {
    first: Option<Bytes>,
    more: Vec<Bytes>,
}

impl Spent {
    /// Creates an empty `Spent`.
    #[inline]
    pub const fn new() -> Self {
        Self { first: None, more: Vec::new() }
    }

    /// Returns whether there is nothing to drop.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Adds a chunk after the others.
    #[inline]
    pub fn push(&mut self, chunk: Bytes) {
        if self.first.is_none() {
            self.first = Some(chunk);
        } else {
            self.more.push(chunk);
        }
    }
}

impl Extend<Bytes> for Spent {
    fn extend<I: IntoIterator<Item = Bytes>>(&mut self, chunks: I) {
        for chunk in chunks {
            self.push(chunk);
        }
    }
}

impl IntoIterator for Spent {
    type Item = Bytes;
    type IntoIter = iter::Chain<option::IntoIter<Bytes>, vec::IntoIter<Bytes>>;

    /// Returns the chunks in their order, so one `Spent` can extend another.
    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_chunk_needs_no_vector_and_order_is_kept() {
        let mut spent = Spent::new();
        assert!(spent.is_empty());
        spent.extend([Bytes::from_static(b"a")]);
        assert_eq!(spent.more.capacity(), 0);
        let mut other = Spent::new();
        other.extend([Bytes::from_static(b"b"), Bytes::from_static(b"c")]);
        spent.extend(other);
        assert!(!spent.is_empty());
        assert!(spent.into_iter().eq(["a", "b", "c"]));
    }
}
