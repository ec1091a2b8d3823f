//! [`Chunks`]: the data of a stream that were not examined yet.

use std::collections::VecDeque;

use bytes::Bytes;

/// Chunks of data, in their order. None is empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chunks(VecDeque<Bytes>);

impl Chunks {
    pub(crate) fn push_back(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.0.push_back(data);
        }
    }

    pub(crate) fn push_front(&mut self, rest: Bytes) {
        if !rest.is_empty() {
            self.0.push_front(rest);
        }
    }

    #[inline]
    pub(crate) fn front(&self) -> Option<&Bytes> {
        self.0.front()
    }

    pub(crate) fn pop_front(&mut self) -> Option<Bytes> {
        self.0.pop_front()
    }

    /// Takes the first bytes of the first chunk, which has at least so many.
    #[inline]
    pub(crate) fn take_front(&mut self, length: usize) -> Bytes {
        let Some(chunk) = self.0.front_mut() else { return Bytes::new() };
        let taken = chunk.split_to(length);
        if chunk.is_empty() {
            self.0.pop_front();
        }
        taken
    }
}
