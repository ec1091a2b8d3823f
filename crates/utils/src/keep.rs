//! How much of a stream is kept, and the buffer that keeps it: a pure value.
//!
//! # Model
//!
//! The input is a stream in pieces of any size. The output is the head of the stream, its tail, and
//! the number of bytes that were skipped between them. If a cut falls inside a character of UTF-8,
//! the whole character is skipped; therefore up to three bytes are remembered beside each cut.
//!
//! One vector holds the head and the tail. It grows until it holds both; from then on its part
//! behind the head is a ring. The last capacity is the limit, and each capacity is half of the next
//! one. Therefore a growth that copies has, with the old bytes and their copy, no more than the
//! limit in use.

use std::mem;

use bytes::Bytes;
use procession_core::driver::split_character;

use crate::gap::Gap;

/// How much of each output stream is kept in memory. The rest is read and counted.
///
/// Text is cut between characters: if a limit falls inside a character of UTF-8, up to three bytes
/// fewer are kept.
///
/// # Examples
///
/// ```
/// use procession::{Keep, Run};
///
/// let seq = Run::new("seq").args(["1000"]).keep(Keep::head_and_tail(4, 5));
/// let outcome = seq.output_blocking()?;
/// assert_eq!(outcome.stdout, "1\n2\n1000\n");
/// assert_eq!(outcome.stdout_gap.unwrap().skipped_bytes, 3893 - 9);
/// # Ok::<(), procession::OutputError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    head: usize,
    tail: usize,
}

impl Keep {
    /// The limit of each stream by default: its first 64 MiB are kept.
    pub const DEFAULT_MAX_BYTES: usize = 64 * 1024 * 1024;

    /// Keeps the first `max_bytes`.
    pub const fn head(max_bytes: usize) -> Self {
        Self { head: max_bytes, tail: 0 }
    }

    /// Keeps the last `max_bytes`.
    pub const fn tail(max_bytes: usize) -> Self {
        Self { head: 0, tail: max_bytes }
    }

    /// Keeps the first `head_bytes` and the last `tail_bytes`.
    pub const fn head_and_tail(head_bytes: usize, tail_bytes: usize) -> Self {
        Self { head: head_bytes, tail: tail_bytes }
    }

    /// Keeps nothing.
    pub const fn nothing() -> Self {
        Self::head(0)
    }

    /// Returns the most bytes that are kept.
    pub const fn max_bytes(self) -> usize {
        self.head.saturating_add(self.tail)
    }
}

/// Keeps the first 64 MiB.
impl Default for Keep {
    fn default() -> Self {
        Self::head(Self::DEFAULT_MAX_BYTES)
    }
}

/// The part of one stream that is kept so far.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    keep: Keep,
    kept: Vec<u8>,
    /// The index of the oldest byte in the tail's part; 0 until the vector is full.
    oldest: usize,
    skipped: u64,
    /// The bytes that follow the head in the stream, once something was skipped.
    after_head: Edge,
    /// The bytes that precede the tail in the stream, once something was skipped.
    before_tail: Edge,
}

/// At most three bytes beside a cut.
#[derive(Debug, Default, Clone, Copy)]
struct Edge {
    bytes: [u8; 3],
    len: usize,
}

impl Edge {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Appends bytes while there is room.
    fn fill(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for (place, byte) in self.bytes[self.len..].iter_mut().zip(bytes) {
            *place = byte;
            self.len += 1;
        }
    }

    /// Appends a byte. If there are three already, drops the first.
    fn push(&mut self, byte: u8) {
        if self.len < 3 {
            return self.fill([byte]);
        }
        self.bytes = [self.bytes[1], self.bytes[2], byte];
    }
}

/// The least capacity of the first buffer, in bytes. A lower limit takes precedence.
const SMALLEST: usize = 1024;

impl Capture {
    pub(crate) fn new(keep: Keep) -> Self {
        Self { keep, ..Self::default() }
    }

    /// Returns how many bytes can be added before one is skipped.
    pub(crate) fn room(&self) -> usize {
        self.keep.max_bytes() - self.kept.len()
    }

    /// Adds data of the stream. Returns whether everything so far is kept.
    pub(crate) fn push(&mut self, data: &[u8]) -> bool {
        let (fits, rest) = data.split_at(self.room().min(data.len()));
        self.grow(fits.len());
        self.kept.extend_from_slice(fits);
        if !rest.is_empty() {
            self.note_edges(rest);
            self.skipped =
                self.skipped.saturating_add(u64::try_from(rest.len()).unwrap_or(u64::MAX));
            self.replace_oldest(rest);
        }
        self.skipped == 0
    }

    /// Takes the head and the tail, joined, and leaves nothing.
    pub(crate) fn take(&mut self) -> (Bytes, Option<Gap>) {
        let mut taken = mem::take(self);
        let tail_at = taken.keep.head.min(taken.kept.len());
        taken.kept[tail_at..].rotate_left(taken.oldest);
        if taken.skipped == 0 {
            return (Bytes::from(taken.kept), None);
        }
        let (head, tail) = taken.kept.split_at(tail_at);
        let (of_head, _) = split_character(head, taken.after_head.as_slice());
        let (_, of_tail) = split_character(taken.before_tail.as_slice(), tail);
        let at = tail_at - of_head;
        taken.kept.drain(at..tail_at + of_tail);
        let more = u64::try_from(of_head + of_tail).unwrap_or(0);
        let skipped_bytes = taken.skipped.saturating_add(more);
        (Bytes::from(taken.kept), Some(Gap { at, skipped_bytes }))
    }

    /// Remembers the bytes beside the cuts. The vector is full, so `data.len()` bytes will be
    /// skipped: either `data` or older bytes of the tail.
    fn note_edges(&mut self, data: &[u8]) {
        let (head, ring) = self.kept.split_at(self.keep.head);
        if self.skipped == 0 {
            self.after_head.fill(ring.iter().copied());
            self.before_tail.fill(head[head.len().saturating_sub(3)..].iter().copied());
        }
        self.after_head.fill(data.iter().copied());
        // As many bytes are skipped as arrive, those of the ring first.
        for at in data.len().saturating_sub(3)..data.len() {
            let byte = match at.checked_sub(ring.len()) {
                Some(at) => data[at],
                None => ring[(self.oldest + at) % ring.len()],
            };
            self.before_tail.push(byte);
        }
    }

    fn grow(&mut self, more: usize) {
        let needed = self.kept.len() + more;
        if needed <= self.kept.capacity() {
            return;
        }
        let mut capacity = self.keep.max_bytes();
        while capacity / 2 >= needed.max(SMALLEST) {
            capacity /= 2;
        }
        self.kept.reserve_exact(capacity - self.kept.len());
    }

    /// Writes data over the oldest bytes of the tail. The vector must be full.
    fn replace_oldest(&mut self, data: &[u8]) {
        let ring = &mut self.kept[self.keep.head..];
        if ring.is_empty() {
            return;
        }
        // If there is more than the ring holds, its beginning would be overwritten at once.
        let passed = data.len().saturating_sub(ring.len());
        let data = &data[passed..];
        let at = (self.oldest + passed % ring.len()) % ring.len();
        let (to_end, from_start) = data.split_at(data.len().min(ring.len() - at));
        ring[at..at + to_end.len()].copy_from_slice(to_end);
        ring[..from_start.len()].copy_from_slice(from_start);
        self.oldest = (at + data.len()) % ring.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what the contract says is kept of `stream`.
    fn model(stream: &[u8], head: usize, tail: usize) -> Vec<u8> {
        if stream.len() <= head + tail {
            return stream.to_vec();
        }
        [&stream[..head], &stream[stream.len() - tail..]].concat()
    }

    #[test]
    fn every_cutting_of_a_stream_keeps_the_same_head_and_tail() {
        let stream: Vec<u8> = (0..40).collect();
        for length in 0..stream.len() {
            let stream = &stream[..length];
            for (head, tail) in (0..8).flat_map(|head| (0..8).map(move |tail| (head, tail))) {
                for step in 1..=length.max(1) {
                    let mut capture = Capture::new(Keep::head_and_tail(head, tail));
                    let fits = stream.chunks(step).map(|data| capture.push(data)).last();
                    assert_eq!(fits.unwrap_or(true), length <= head + tail);
                    let (kept, gap) = capture.take();
                    assert_eq!(kept, model(stream, head, tail), "{length} {head} {tail} {step}");
                    let skipped = length.saturating_sub(head + tail);
                    let skipped = u64::try_from(skipped).unwrap();
                    let expected =
                        (skipped > 0).then_some(Gap { at: head, skipped_bytes: skipped });
                    assert_eq!(gap, expected);
                }
            }
        }
    }

    #[test]
    fn text_is_cut_between_characters_and_nothing_else_is_skipped() {
        let text = "aé€😀z€€é😀ß";
        for (head, tail) in (0..12).flat_map(|head| (0..12).map(move |tail| (head, tail))) {
            for step in 1..=text.len() {
                let mut capture = Capture::new(Keep::head_and_tail(head, tail));
                for data in text.as_bytes().chunks(step) {
                    capture.push(data);
                }
                let (kept, gap) = capture.take();
                let (first, last) = (head.min(text.len()), text.len().saturating_sub(tail));
                if head + tail >= text.len() {
                    assert_eq!((kept, gap), (Bytes::from(text), None));
                    continue;
                }
                let is_boundary = |at: &usize| text.is_char_boundary(*at);
                let head = &text[..(0..=first).rev().find(is_boundary).unwrap()];
                let tail = &text[(last..).find(is_boundary).unwrap()..];
                let skipped = u64::try_from(text.len() - head.len() - tail.len()).unwrap();
                assert_eq!(kept, [head, tail].concat(), "{step}");
                assert_eq!(gap, Some(Gap { at: head.len(), skipped_bytes: skipped }));
            }
        }
    }

    #[test]
    fn the_buffer_grows_by_halves_of_the_limit_and_never_beyond_it() {
        let mut capture = Capture::new(Keep::head(100_000));
        let mut capacities = Vec::new();
        for _ in 0..200 {
            capture.push(&[7; 1000]);
            capacities.push(capture.kept.capacity());
        }
        capacities.dedup();
        assert_eq!(capacities, [1562, 3125, 6250, 12500, 25000, 50000, 100_000]);
    }

    #[test]
    fn a_limit_of_zero_keeps_nothing_and_counts() {
        let mut capture = Capture::new(Keep::nothing());
        assert!(!capture.push(b"some"));
        let (kept, gap) = capture.take();
        assert_eq!((kept.len(), gap.unwrap().skipped_bytes), (0, 4));
    }
}
