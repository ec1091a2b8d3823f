//! [`LineReceiver`]: cuts a stream of bytes into lines. A pure value, usable on any byte stream.
//!
//! # Model
//!
//! Inputs: data, the end of the stream, a change of mode. Outputs: [`LineEvent`]s. How the stream
//! is cut into chunks makes no difference to the lines. Data that come after the end are ignored.
//!
//! In line mode a line is what precedes the first delimiter. Of one that is longer than the limit
//! the first bytes, as many as the limit, are handed over as `TooLong`, as soon as that is certain;
//! the rest is skipped up to its delimiter. So at most the limit, a delimiter and one chunk are
//! kept. In raw mode everything is handed over as it came.
//!
//! A line that lies in one chunk is a slice of it; one that spans chunks is copied once.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Holds what a [`LineReceiver`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineEvent {
    /// A line, without its delimiter.
    #[doc(alias = "lineReceived")]
    Line(Bytes),
    /// The beginning of a line that is longer than the limit; the rest is skipped, or, if raw mode
    /// is set now, comes as `Raw`.
    #[doc(alias = "lineLengthExceeded")]
    TooLong(Bytes),
    /// Data of raw mode.
    #[doc(alias = "rawDataReceived")]
    Raw(Bytes),
}

/// Cuts a stream of bytes into lines.
///
/// # Examples
///
/// ```
/// use procession_protocol::{LineEvent, LineReceiver};
///
/// let mut lines = LineReceiver::new();
/// lines.on_data("one\ntw".into());
/// lines.on_data("o\nthree".into());
/// lines.on_end();
/// let mut found = Vec::new();
/// while let Some(LineEvent::Line(line)) = lines.poll() {
///     found.push(line);
/// }
/// assert_eq!(found, ["one", "two", "three"]);
/// ```
#[derive(Debug, Clone)]
pub struct LineReceiver {
    /// Never empty.
    delimiter: Vec<u8>,
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

    /// Creates a receiver of lines that end with a line feed.
    pub fn new() -> Self {
        Self::with_delimiter("\n")
    }

    /// Creates a receiver of lines that end with `delimiter`; Twisted's default is `"\r\n"`.
    ///
    /// # Panics
    ///
    /// If the delimiter is empty.
    pub fn with_delimiter(delimiter: impl Into<Vec<u8>>) -> Self {
        let delimiter = delimiter.into();
        assert!(!delimiter.is_empty(), "an empty delimiter ends no line");
        Self {
            delimiter,
            max_length: Self::DEFAULT_MAX_LENGTH,
            mode: Mode::Line,
            partial: BytesMut::new(),
            chunks: VecDeque::new(),
            ended: false,
        }
    }

    /// Sets the longest line, in bytes, without its delimiter.
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

    /// Takes what was found next.
    pub fn poll(&mut self) -> Option<LineEvent> {
        if self.mode == Mode::Skip {
            self.skip();
        }
        match self.mode {
            Mode::Line => self.poll_line(),
            Mode::Raw => self.chunks.pop_front().map(LineEvent::Raw),
            Mode::Skip => None,
        }
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

    fn poll_line(&mut self) -> Option<LineEvent> {
        while let Some(chunk) = self.chunks.pop_front() {
            let known = self.partial.len();
            let found = find_across(&self.partial, &chunk, &self.delimiter);
            let is_too_long = match found {
                Some(at) => at > self.max_length,
                None => known + chunk.len() >= self.max_length.saturating_add(self.delimiter.len()),
            };
            if is_too_long {
                return Some(self.cut(chunk));
            }
            match found {
                Some(at) => return Some(LineEvent::Line(self.take_line(at, chunk))),
                None => self.partial.extend_from_slice(&chunk),
            }
        }
        if !self.ended || self.partial.is_empty() {
            return None;
        }
        let last = self.partial.split().freeze();
        if last.len() > self.max_length {
            Some(self.cut(last))
        } else {
            Some(LineEvent::Line(last))
        }
    }

    /// Takes the line of `at` bytes that ends in, or before, this chunk.
    fn take_line(&mut self, at: usize, mut chunk: Bytes) -> Bytes {
        let known = self.partial.len();
        let rest = chunk.split_off(at + self.delimiter.len() - known);
        self.put_back(rest);
        if known == 0 {
            chunk.truncate(at);
            return chunk;
        }
        self.partial.extend_from_slice(&chunk[..at.saturating_sub(known)]);
        self.partial.truncate(at);
        self.partial.split().freeze()
    }

    /// Hands over the beginning of a line that is too long, and passes over the rest from now on.
    fn cut(&mut self, mut chunk: Bytes) -> LineEvent {
        self.mode = Mode::Skip;
        let known = self.partial.len();
        if known == 0 {
            let rest = chunk.split_off(self.max_length);
            self.put_back(rest);
            return LineEvent::TooLong(chunk);
        }
        self.put_back(chunk.split_off(self.max_length.saturating_sub(known)));
        self.partial.extend_from_slice(&chunk);
        let rest = self.partial.split_off(self.max_length).freeze();
        self.put_back(rest);
        LineEvent::TooLong(self.partial.split().freeze())
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
mod tests {
    use super::*;

    fn poll_all(lines: &mut LineReceiver) -> Vec<LineEvent> {
        std::iter::from_fn(|| lines.poll()).collect()
    }

    fn line(text: &'static str) -> LineEvent {
        LineEvent::Line(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_line_that_lies_in_one_chunk_is_a_slice_of_it() {
        let chunk = Bytes::from(b"one\ntwo\n".to_vec());
        let mut lines = LineReceiver::new();
        lines.on_data(chunk.clone());
        let Some(LineEvent::Line(one)) = lines.poll() else { panic!("a line") };
        let Some(LineEvent::Line(two)) = lines.poll() else { panic!("a line") };
        assert_eq!(one.as_ptr(), chunk.as_ptr());
        assert_eq!(two.as_ptr(), chunk[4..].as_ptr());
    }

    #[test]
    fn a_delimiter_may_be_cut_anywhere() {
        let mut lines = LineReceiver::with_delimiter("\r\n");
        for byte in "a\rb\r\n\r\r\n\r\n".bytes() {
            lines.on_data(Bytes::from(vec![byte]));
        }
        assert_eq!(poll_all(&mut lines), [line("a\rb"), line("\r"), line("")]);
    }

    #[test]
    fn the_unterminated_last_line_is_handed_over_once() {
        let mut lines = LineReceiver::new();
        lines.on_data("last".into());
        assert_eq!(lines.poll(), None);
        lines.on_end();
        assert_eq!(poll_all(&mut lines), [line("last")]);
        lines.on_end();
        lines.on_data("late\n".into());
        assert_eq!(lines.poll(), None);
    }

    #[test]
    fn of_a_line_that_is_too_long_the_head_is_given_and_the_rest_skipped() {
        let mut lines = LineReceiver::new().max_length(3);
        lines.on_data("abc\nabcd".into());
        assert_eq!(
            poll_all(&mut lines),
            [line("abc"), LineEvent::TooLong(Bytes::from_static(b"abc"))]
        );
        lines.on_data("efgh\nnext\nok\n".into());
        assert_eq!(
            poll_all(&mut lines),
            [LineEvent::TooLong(Bytes::from_static(b"nex")), line("ok")]
        );
    }

    #[test]
    fn raw_mode_begins_right_after_the_line_that_asked_for_it() {
        let mut lines = LineReceiver::new();
        lines.on_data("head\nraw bytes\nlines\n".into());
        assert_eq!(lines.poll(), Some(line("head")));
        lines.set_raw_mode();
        assert!(lines.is_raw());
        let Some(LineEvent::Raw(raw)) = lines.poll() else { panic!("raw data") };
        assert_eq!(raw, "raw bytes\nlines\n");
        lines.set_line_mode(raw.slice("raw bytes\n".len()..));
        assert!(!lines.is_raw());
        assert_eq!(poll_all(&mut lines), [line("lines")]);
    }

    #[test]
    fn of_a_line_that_is_skipped_no_more_is_kept_than_may_begin_a_delimiter() {
        let mut lines = LineReceiver::with_delimiter("-+-").max_length(2);
        lines.on_data("abcdefgh-".into());
        assert_eq!(poll_all(&mut lines), [LineEvent::TooLong(Bytes::from_static(b"ab"))]);
        assert_eq!(lines.partial, "h-");
        lines.on_data("+".into());
        assert_eq!(lines.poll(), None);
        assert_eq!(lines.partial, "-+");
        lines.on_data("-ok-+-".into());
        assert_eq!(poll_all(&mut lines), [line("ok")]);
        assert_eq!((overlap(b"-+-"), overlap(b"\n")), (2, 0));
    }

    #[test]
    fn raw_mode_after_too_long_gives_the_rest_of_the_line() {
        let mut lines = LineReceiver::new().max_length(2);
        lines.on_data("abcdef".into());
        assert_eq!(lines.poll(), Some(LineEvent::TooLong(Bytes::from_static(b"ab"))));
        lines.set_raw_mode();
        assert_eq!(poll_all(&mut lines), [LineEvent::Raw(Bytes::from_static(b"cdef"))]);
    }

    #[test]
    #[should_panic(expected = "an empty delimiter")]
    fn an_empty_delimiter_is_refused() {
        drop(LineReceiver::with_delimiter(""));
    }
}
