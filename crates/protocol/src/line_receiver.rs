//! [`LineReceiver`]: cuts a stream of bytes into lines. A pure value, usable on any byte stream.
//!
//! # Model
//!
//! Inputs: data, the end of the stream, a change of mode. Outputs: [`Line`]s, or raw data. How the
//! stream is cut into chunks makes no difference to the lines. Data that come after the end are
//! ignored.
//!
//! In line mode a line is what precedes the first delimiter. Of one that is longer than the limit the
//! beginning is handed over, cut at a character, once it cannot be shorter; the rest is skipped up to
//! its delimiter. So at most the limit, a delimiter and one chunk are kept. In raw mode everything is
//! handed over as it came.
//!
//! A line that lies in one chunk is a slice of it; one that spans chunks is copied once.

mod line;

pub use line::Line;

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Cuts a stream of bytes into lines.
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
    /// The beginning of a line; holds no delimiter. In `Skip`, what may be the beginning of one.
    partial: BytesMut,
    /// What was not looked at; no chunk is empty.
    chunks: VecDeque<Bytes>,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Line,
    /// The rest of a line that was too long is passed over.
    Skip,
    Raw,
}

impl LineReceiver {
    /// The longest line, in bytes, unless [`max_length`](Self::max_length) says otherwise.
    pub const DEFAULT_MAX_LENGTH: usize = 16_384;

    /// Creates a receiver of lines of text: a line ends at a line feed, and one carriage return before
    /// that is no part of it. A carriage return at the end of the stream is.
    pub fn new() -> Self {
        Self { drops_return: true, ..Self::with_delimiter("\n") }
    }

    /// Creates a receiver of lines that end with exactly `delimiter`; Twisted's default is `"\r\n"`.
    ///
    /// # Panics
    ///
    /// If the delimiter is empty.
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
            chunks: VecDeque::new(),
            ended: false,
        }
    }

    /// Sets the longest line, in bytes, without its delimiter. Of a longer one the beginning comes,
    /// which is up to three bytes shorter where the limit lies within a character of UTF-8.
    #[must_use]
    #[doc(alias = "MAX_LENGTH")]
    pub fn max_length(self, bytes: usize) -> Self {
        Self { max_length: bytes, ..self }
    }

    /// The stream went on.
    #[doc(alias = "dataReceived")]
    pub fn on_data(&mut self, data: Bytes) {
        if !self.ended && !data.is_empty() {
            self.chunks.push_back(data);
        }
    }

    /// The stream is over: the last line is handed over even if no delimiter ends it.
    #[doc(alias = "connectionLost")]
    pub fn on_end(&mut self) {
        self.ended = true;
    }

    /// Takes the next line; `None` until it is whole or too long, and in raw mode.
    #[doc(alias = "lineReceived")]
    pub fn poll(&mut self) -> Option<Line> {
        if self.mode == Mode::Skip {
            self.skip();
        }
        if self.mode == Mode::Line { self.poll_line() } else { None }
    }

    /// Takes the next data of raw mode, never empty; `None` until there are some, and in line mode.
    #[doc(alias = "rawDataReceived")]
    pub fn poll_raw(&mut self) -> Option<Bytes> {
        if self.mode == Mode::Raw { self.chunks.pop_front() } else { None }
    }

    /// Hands over everything as it comes from now on, beginning with what was not polled yet.
    #[doc(alias = "setRawMode")]
    pub fn set_raw_mode(&mut self) {
        self.mode = Mode::Raw;
        let partial = self.partial.split().freeze();
        self.put_back(partial);
    }

    /// Goes back to lines; `rest` is what of the last raw data belongs to them.
    #[doc(alias = "setLineMode")]
    pub fn set_line_mode(&mut self, rest: Bytes) {
        if self.mode == Mode::Raw {
            self.mode = Mode::Line;
        }
        self.put_back(rest);
    }

    /// Tells whether raw mode is set.
    pub fn is_raw(&self) -> bool {
        self.mode == Mode::Raw
    }

    fn poll_line(&mut self) -> Option<Line> {
        while let Some(chunk) = self.chunks.pop_front() {
            let known = self.partial.len() + chunk.len();
            let found = find_across(&self.partial, &chunk, &self.delimiter);
            // One at the end may be no part of the line.
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

    /// How many bytes before a delimiter that was found there are no part of the line.
    fn returns_before(&self, at: usize, chunk: &[u8]) -> usize {
        let Some(before) = at.checked_sub(1).filter(|_| self.drops_return) else { return 0 };
        let byte = self.partial.get(before).or_else(|| chunk.get(before - self.partial.len()));
        usize::from(byte == Some(&b'\r'))
    }

    /// Takes the line of `at` bytes that ends in, or before, this chunk.
    fn take_line(&mut self, at: usize, mut chunk: Bytes) -> Line {
        let known = self.partial.len();
        let length = at - self.returns_before(at, &chunk);
        let rest = chunk.split_off(at + self.delimiter.len() - known);
        self.put_back(rest);
        if known == 0 {
            chunk.truncate(length);
            return whole(chunk);
        }
        self.partial.extend_from_slice(&chunk[..at.saturating_sub(known)]);
        self.partial.truncate(length);
        whole(self.partial.split().freeze())
    }

    /// Hands over the beginning of a line that is too long, and passes over the rest from now on.
    ///
    /// More than the limit is known.
    fn cut(&mut self, mut chunk: Bytes) -> Line {
        self.mode = Mode::Skip;
        let cut = |bytes| Line { bytes, is_cut: true };
        if self.partial.is_empty() {
            let rest = chunk.split_off(whole_characters(&chunk, self.max_length));
            self.put_back(rest);
            return cut(chunk);
        }
        let needed = (self.max_length + 1).saturating_sub(self.partial.len());
        self.put_back(chunk.split_off(needed));
        self.partial.extend_from_slice(&chunk);
        let at = whole_characters(&self.partial, self.max_length);
        let rest = self.partial.split_off(at).freeze();
        self.put_back(rest);
        cut(self.partial.split().freeze())
    }

    /// Passes over data up to a delimiter, and keeps what may be the beginning of one.
    fn skip(&mut self) {
        while let Some(mut chunk) = self.chunks.pop_front() {
            if let Some(at) = find_across(&self.partial, &chunk, &self.delimiter) {
                let rest = chunk.split_off(at + self.delimiter.len() - self.partial.len());
                self.put_back(rest);
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

    fn put_back(&mut self, rest: Bytes) {
        if !rest.is_empty() {
            self.chunks.push_front(rest);
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

/// How many of the first `most` bytes are whole characters, where the cut lies within one of UTF-8;
/// else `most`. There is one byte more at least.
fn whole_characters(bytes: &[u8], most: usize) -> usize {
    let is_inside = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    if !bytes.get(most).copied().is_some_and(is_inside) {
        return most;
    }
    // The first byte of a character says its length, and is at most three before this one.
    let begins = (most.saturating_sub(3)..most).rev().find(|at| !is_inside(bytes[*at]));
    let length = |first: u8| match first.leading_ones() {
        2 => 2,
        3 => 3,
        4 => 4,
        _ => 1,
    };
    begins.filter(|at| at + length(bytes[*at]) > most).unwrap_or(most)
}

/// Finds the first `needle` in `head` followed by `chunk`, where `head` alone holds none.
fn find_across(head: &[u8], chunk: &[u8], needle: &[u8]) -> Option<usize> {
    let overlap = overlap(needle);
    let tail = &head[head.len().saturating_sub(overlap)..];
    let before = head.len() - tail.len();
    if !tail.is_empty() {
        let start = &chunk[..chunk.len().min(overlap)];
        if let Some(at) = find(&[tail, start].concat(), needle) {
            return Some(before + at);
        }
    }
    find(chunk, needle).map(|at| head.len() + at)
}

/// How many bytes of a needle may lie before a chunk, with the rest of it inside.
fn overlap(needle: &[u8]) -> usize {
    needle.split_first().map_or(0, |(_, rest)| rest.len())
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests;
