//! The first chunk, while lines are taken from it one after another.

use std::mem;

use bytes::{Buf, Bytes};

use crate::chunks::Chunks;

/// The first chunk of a queue. Its drop puts back what was not taken, also after a panic.
pub(super) struct FrontChunk<'a> {
    chunks: &'a mut Chunks,
    chunk: Bytes,
    taken: usize,
}

impl<'a> FrontChunk<'a> {
    /// Takes the first chunk out of the queue, if there is one.
    pub(super) fn take(chunks: &'a mut Chunks) -> Option<Self> {
        let chunk = chunks.pop_front()?;
        Some(Self { chunks, chunk, taken: 0 })
    }

    pub(super) fn chunk(&self) -> &Bytes {
        &self.chunk
    }

    /// Returns how many bytes were taken.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Takes the bytes before `end`, a position in the chunk.
    pub(super) fn take_to(&mut self, end: usize) {
        self.taken = end;
    }
}

impl Drop for FrontChunk<'_> {
    fn drop(&mut self) {
        let mut rest = mem::take(&mut self.chunk);
        rest.advance(self.taken);
        self.chunks.push_front(rest);
    }
}
