//! [`LineReceiver`]: splits a stream of bytes into lines. A pure value, usable on any byte stream.
//!
//! # Model
//!
//! Inputs: data, the end of the stream, a change of mode. Outputs: [`Line`]s, or raw data. The lines do
//! not depend on how the stream is divided into chunks. Data after the end are ignored.
//!
//! In line mode, a line consists of the bytes before the first delimiter. If a line is longer than the
//! limit, the receiver returns its beginning, cut between characters, as soon as it is certain that the
//! line is too long; it skips the rest up to the delimiter. So it keeps at most the limit, a delimiter
//! and one chunk. In raw mode it returns all data unchanged.
//!
//! A line within one chunk is a slice of that chunk, and found in one search of the chunk; a line that
//! spans chunks is copied once.

mod front;
mod line;
mod search;

use std::ops::ControlFlow;

use bytes::{Bytes, BytesMut};
use front::FrontChunk;
pub use line::Line;
use memchr::{memchr, memchr_iter};
use search::{find_across, overlap};

use crate::chunks::Chunks;

/// Splits a stream of bytes into lines.
///
/// # Examples
///
/// ```
/// use procession::LineReceiver;
///
/// let mut lines = LineReceiver::new();
/// lines.on_data("one\r\ntw".into());
/// lines.on_data("o\nthree".into());
/// lines.on_end();
/// let mut found = Vec::new();
/// while let Some(line) = lines.poll() {
///     found.push(line);
/// }
/// assert_eq!(found, ["one", "two", "three"]);
/// ```
///
/// A head of lines, then bytes:
///
/// ```
/// # use procession::LineReceiver;
/// let mut lines = LineReceiver::with_delimiter("\r\n");
/// lines.on_data("Name: a\r\n\r\nbytes\r\n".into());
/// while let Some(line) = lines.poll() {
///     if line.is_empty() {
///         lines.set_raw_mode();
///     }
/// }
/// assert_eq!(lines.poll_raw().unwrap(), "bytes\r\n");
/// ```
#[derive(Debug, Clone)]
pub struct LineReceiver {
    /// Never empty.
    delimiter: Vec<u8>,
    /// A carriage return before the delimiter is dropped.
    drops_return: bool,
    max_length: usize,
    mode: Mode,
    /// The beginning of a line, without a delimiter. In `Skip`, a possible beginning of a delimiter.
    partial: BytesMut,
    chunks: Chunks,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Line,
    /// Skips the rest of a line that was too long.
    Skip,
    Raw,
}

impl LineReceiver {
    /// The default of [`max_length`](Self::max_length), in bytes.
    pub const DEFAULT_MAX_LENGTH: usize = 16_384;

    /// Creates a receiver of lines of text. A line ends at a line feed; one carriage return before that
    /// is not part of the line. A carriage return at the end of the stream is part of the last line.
    pub fn new() -> Self {
        Self { drops_return: true, ..Self::with_delimiter("\n") }
    }

    /// Creates a receiver of lines that end with exactly `delimiter`; Twisted's default is `"\r\n"`.
    ///
    /// # Panics
    ///
    /// Panics if the delimiter is empty.
    #[track_caller]
    pub fn with_delimiter(delimiter: impl Into<Vec<u8>>) -> Self {
        let delimiter = delimiter.into();
        assert!(
            !delimiter.is_empty(),
            "an empty delimiter ends no line: `new` is for lines of text, `RawMode` for none"
        );
        Self {
            delimiter,
            drops_return: false,
            max_length: Self::DEFAULT_MAX_LENGTH,
            mode: Mode::Line,
            partial: BytesMut::new(),
            chunks: Chunks::default(),
            ended: false,
        }
    }

    /// Sets the greatest length of a line, in bytes, without its delimiter. A longer line is cut there,
    /// or up to three bytes before if the limit is inside a UTF-8 character.
    #[must_use]
    #[doc(alias = "MAX_LENGTH")]
    pub fn max_length(self, bytes: usize) -> Self {
        Self { max_length: bytes, ..self }
    }

    /// Adds data of the stream.
    #[doc(alias = "dataReceived")]
    pub fn on_data(&mut self, data: Bytes) {
        if !self.ended {
            self.chunks.push_back(data);
        }
    }

    /// Ends the stream: the last line is returned even if no delimiter ends it.
    #[doc(alias = "connectionLost")]
    pub fn on_end(&mut self) {
        self.ended = true;
    }

    /// Takes the next line; `None` until the line is complete or too long, and in raw mode.
    #[doc(alias = "lineReceived")]
    pub fn poll(&mut self) -> Option<Line> {
        if self.is_at_line() { self.poll_line() } else { None }
    }

    /// Takes all lines that [`poll`](Self::poll) would return, and calls `call` with each of them, until
    /// `call` breaks. For many short lines this takes about half the time of `poll`.
    ///
    /// If `call` panics, its line is taken, and the later ones are not.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::LineReceiver;
    /// use std::ops::ControlFlow;
    ///
    /// let mut lines = LineReceiver::new();
    /// lines.on_data("one\ntwo\nthree\nfo".into());
    /// let mut found = Vec::new();
    /// lines.for_each_line(|line| {
    ///     found.push(line);
    ///     if found.len() < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    /// });
    /// assert_eq!(found, ["one", "two"]);
    /// assert_eq!(lines.poll().unwrap(), "three");
    /// ```
    #[doc(alias = "lineReceived")]
    pub fn for_each_line(&mut self, mut call: impl FnMut(Line) -> ControlFlow<()>) {
        while self.for_each_short_line(&mut call).is_continue() {
            let line = if self.is_at_line() { self.poll_any_line() } else { None };
            let Some(line) = line else { return };
            if call(line).is_break() {
                return;
            }
        }
    }

    /// Takes the next raw data, never empty; `None` until there are some, and in line mode.
    #[doc(alias = "rawDataReceived")]
    pub fn poll_raw(&mut self) -> Option<Bytes> {
        if self.mode == Mode::Raw { self.chunks.pop_front() } else { None }
    }

    /// Switches to raw mode: from now on data are returned unchanged, first those not polled yet.
    #[doc(alias = "setRawMode")]
    pub fn set_raw_mode(&mut self) {
        self.mode = Mode::Raw;
        let partial = self.partial.split().freeze();
        self.chunks.push_front(partial);
    }

    /// Switches back to line mode; `rest` is the part of the last raw data that belongs to the lines.
    #[doc(alias = "setLineMode")]
    pub fn set_line_mode(&mut self, rest: Bytes) {
        if self.mode == Mode::Raw {
            self.mode = Mode::Line;
        }
        self.chunks.push_front(rest);
    }

    /// Returns whether raw mode is set.
    pub fn is_raw(&self) -> bool {
        self.mode == Mode::Raw
    }

    /// Skips what must be skipped. Returns whether a line may follow.
    fn is_at_line(&mut self) -> bool {
        if self.mode == Mode::Skip {
            self.skip();
        }
        self.mode == Mode::Line
    }

    fn poll_line(&mut self) -> Option<Line> {
        self.poll_short_line().or_else(|| self.poll_any_line())
    }

    /// Takes the usual lines of the first chunk, as far as they are not interrupted by another one.
    fn for_each_short_line(
        &mut self,
        call: &mut impl FnMut(Line) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let &[delimiter] = self.delimiter.as_slice() else { return ControlFlow::Continue(()) };
        if self.mode != Mode::Line || !self.partial.is_empty() {
            return ControlFlow::Continue(());
        }
        let (drops_return, max_length) = (self.drops_return, self.max_length);
        let Some(mut front) = FrontChunk::take(&mut self.chunks) else {
            return ControlFlow::Continue(());
        };
        // A clone, because the positions borrow it while lines are taken.
        let chunk = front.chunk().clone();
        for at in memchr_iter(delimiter, &chunk) {
            let from = front.taken();
            let returned = drops_return && chunk[from..at].ends_with(b"\r");
            let end = at - usize::from(returned);
            if end - from > max_length {
                break;
            }
            front.take_to(at + 1);
            call(whole(chunk.slice(from..end)))?;
        }
        ControlFlow::Continue(())
    }

    /// Takes the usual line: it lies in one chunk, ends with one byte, and is not too long.
    #[inline]
    fn poll_short_line(&mut self) -> Option<Line> {
        let &[delimiter] = self.delimiter.as_slice() else { return None };
        let chunk = self.chunks.front().filter(|_| self.partial.is_empty())?;
        let at = memchr(delimiter, chunk)?;
        let returned = self.drops_return && chunk[..at].ends_with(b"\r");
        let length = at - usize::from(returned);
        if length > self.max_length {
            return None;
        }
        let mut line = self.chunks.take_front(at + 1);
        line.truncate(length);
        Some(whole(line))
    }

    /// Takes a line that may span chunks, or end with a longer delimiter, or be too long.
    fn poll_any_line(&mut self) -> Option<Line> {
        while let Some(chunk) = self.chunks.pop_front() {
            let known = self.partial.len() + chunk.len();
            let found = find_across(&self.partial, &chunk, &self.delimiter);
            // A carriage return at the end may not be part of the line.
            let returned = usize::from(self.drops_return && chunk.last() == Some(&b'\r'));
            let is_too_long = match found {
                Some(at) => at - self.returns_before(at, &chunk) > self.max_length,
                None => known >= self.max_length.saturating_add(self.delimiter.len() + returned),
            };
            if is_too_long {
                return Some(self.cut(chunk));
            }
            match found {
                Some(at) => return Some(self.take_line(at, chunk)),
                None => self.partial.extend_from_slice(&chunk),
            }
        }
        if !self.ended || self.partial.is_empty() {
            return None;
        }
        let last = self.partial.split().freeze();
        if last.len() > self.max_length { Some(self.cut(last)) } else { Some(whole(last)) }
    }

    /// Returns how many bytes before a delimiter at `at` are not part of the line: 1 for a carriage
    /// return that is dropped.
    fn returns_before(&self, at: usize, chunk: &[u8]) -> usize {
        let Some(before) = at.checked_sub(1).filter(|_| self.drops_return) else { return 0 };
        let byte = self.partial.get(before).or_else(|| chunk.get(before - self.partial.len()));
        usize::from(byte == Some(&b'\r'))
    }

    /// Takes the line of `at` bytes, which ends in this chunk or before it.
    fn take_line(&mut self, at: usize, mut chunk: Bytes) -> Line {
        let known = self.partial.len();
        let length = at - self.returns_before(at, &chunk);
        let rest = chunk.split_off(at + self.delimiter.len() - known);
        self.chunks.push_front(rest);
        if known == 0 {
            chunk.truncate(length);
            return whole(chunk);
        }
        self.partial.extend_from_slice(&chunk[..at.saturating_sub(known)]);
        self.partial.truncate(length);
        whole(self.partial.split().freeze())
    }

    /// Takes the beginning of a line that is too long, and starts to skip the rest.
    ///
    /// `partial` and `chunk` together are longer than the limit.
    fn cut(&mut self, mut chunk: Bytes) -> Line {
        self.mode = Mode::Skip;
        let cut = |bytes| Line { bytes, is_cut: true };
        if self.partial.is_empty() {
            let rest = chunk.split_off(whole_characters(&chunk, self.max_length));
            self.chunks.push_front(rest);
            return cut(chunk);
        }
        let needed = (self.max_length + 1).saturating_sub(self.partial.len());
        self.chunks.push_front(chunk.split_off(needed));
        self.partial.extend_from_slice(&chunk);
        let at = whole_characters(&self.partial, self.max_length);
        let rest = self.partial.split_off(at).freeze();
        self.chunks.push_front(rest);
        cut(self.partial.split().freeze())
    }

    /// Skips data up to a delimiter, and keeps bytes that may be the beginning of one.
    fn skip(&mut self) {
        while let Some(mut chunk) = self.chunks.pop_front() {
            if let Some(at) = find_across(&self.partial, &chunk, &self.delimiter) {
                let rest = chunk.split_off(at + self.delimiter.len() - self.partial.len());
                self.chunks.push_front(rest);
                self.partial.clear();
                self.mode = Mode::Line;
                return;
            }
            self.partial.extend_from_slice(&chunk);
            let passed = self.partial.len().saturating_sub(overlap(&self.delimiter));
            drop(self.partial.split_to(passed));
        }
        if self.ended {
            self.partial.clear();
        }
    }
}

impl Default for LineReceiver {
    fn default() -> Self {
        Self::new()
    }
}

fn whole(bytes: Bytes) -> Line {
    Line { bytes, is_cut: false }
}

/// Returns the greatest length, up to `most`, that does not cut a UTF-8 character; `most` if the bytes
/// are not UTF-8 there. `bytes` is longer than `most`.
fn whole_characters(bytes: &[u8], most: usize) -> usize {
    let is_inside = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    if !bytes.get(most).copied().is_some_and(is_inside) {
        return most;
    }
    // The first byte of a character gives its length, and is at most three bytes before this one.
    let begins = (most.saturating_sub(3)..most).rev().find(|at| !is_inside(bytes[*at]));
    let length = |first: u8| match first.leading_ones() {
        2 => 2,
        3 => 3,
        4 => 4,
        _ => 1,
    };
    begins.filter(|at| at + length(bytes[*at]) > most).unwrap_or(most)
}

#[cfg(test)]
mod tests;
