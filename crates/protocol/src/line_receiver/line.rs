//! [`Line`]: a line that a `LineReceiver` returns.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// A line without its delimiter, or the beginning of a line that is too long.
///
/// It derefs to its bytes, which need not be UTF-8. Printed with `{}` it is text, in which each byte
/// sequence that is not UTF-8 is replaced by U+FFFD, as in [`String::from_utf8_lossy`]. Control characters
/// stay: escape a line from an untrusted program before it goes to a terminal.
///
/// # Examples
///
/// ```
/// use procession::LineReceiver;
///
/// let mut lines = LineReceiver::new().max_length(5);
/// lines.on_data("short\nmuch too long\n".into());
/// let line = lines.poll().unwrap();
/// assert_eq!((line.to_string(), line.is_cut()), ("short".into(), false));
/// let line = lines.poll().unwrap();
/// assert_eq!((str::from_utf8(&line)?, line.is_cut()), ("much ", true));
/// # Ok::<(), std::str::Utf8Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Line {
    pub(super) bytes: Bytes,
    pub(super) is_cut: bool,
}

impl Line {
    /// Returns whether this is only the beginning of a line that was longer than
    /// [`max_length`](crate::LineReceiver::max_length). The rest is skipped; if raw mode is set now, it
    /// is returned as raw data.
    #[doc(alias = "lineLengthExceeded")]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns the bytes of the line.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl Deref for Line {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

impl AsRef<[u8]> for Line {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Line> for Bytes {
    fn from(line: Line) -> Self {
        line.bytes
    }
}

/// Compares only the bytes, not whether the line is cut.
impl<T: AsRef<[u8]> + ?Sized> PartialEq<&T> for Line {
    fn eq(&self, other: &&T) -> bool {
        self.bytes == other.as_ref()
    }
}

/// Prints the text; what is not UTF-8 is replaced.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.bytes))
    }
}

/// Prints text with escapes, and "..." after a line that is cut.
impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{}", self.bytes, if self.is_cut { "..." } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_as_text_whatever_its_bytes() {
        let line = |bytes: &'static [u8]| Line { bytes: bytes.into(), is_cut: false };
        assert_eq!(line(b"no \xff text").to_string(), "no \u{fffd} text");
        assert_eq!(format!("<{:>5}>", line(b"abc")), "<  abc>");
    }
}
