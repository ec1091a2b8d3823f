//! Building blocks for errors: the reason in the message, the conversion to an [`io::Error`], and the
//! message as `Debug`.
//!
//! Every error of these crates prints, once, what failed, on what, and why. Its text already contains
//! the reason. So its [`source`](std::error::Error::source) is not the reason but the reason's own source,
//! and a program that prints the whole chain prints nothing twice.

use std::error::Error;
use std::ffi::OsStr;
use std::fmt;
use std::io;

/// The text of an I/O error as the last part of a message: without the number that
/// [`io::Error`] appends.
///
/// # Examples
///
/// ```
/// use procession::driver::core::Reason;
/// use std::io;
///
/// let refused = io::Error::from_raw_os_error(2);
/// assert_eq!(refused.to_string(), "No such file or directory (os error 2)");
/// assert_eq!(Reason(&refused).to_string(), "No such file or directory");
/// assert_eq!(Reason(&io::Error::other("torn tape")).to_string(), "torn tape");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Reason<'a>(pub &'a io::Error);

impl Reason<'_> {
    /// Turns an error whose reason is an I/O error into an I/O error of the same kind and number.
    ///
    /// An [`io::Error`] has either a number or a text. If the reason has a number, as the
    /// system's errors have, the result has that number, and prints only the reason. Otherwise the result
    /// prints as `error` does, and [`get_ref`](io::Error::get_ref) returns `error`.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::driver::core::Reason;
    /// use std::io::ErrorKind;
    ///
    /// let denied = Reason::into_io_error(ErrorKind::PermissionDenied, Some(13), "cannot open x");
    /// assert_eq!((denied.kind(), denied.raw_os_error()), (ErrorKind::PermissionDenied, Some(13)));
    /// let odd = Reason::into_io_error(ErrorKind::InvalidData, None, "cannot read x: no text");
    /// assert_eq!(odd.kind(), ErrorKind::InvalidData);
    /// assert_eq!(odd.to_string(), "cannot read x: no text");
    /// ```
    pub fn into_io_error(
        kind: io::ErrorKind,
        number: Option<i32>,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> io::Error {
        number.map_or_else(|| io::Error::new(kind, error), io::Error::from_raw_os_error)
    }

    /// Returns a name or a path as text for a message: bare, or quoted and escaped if it is empty or holds
    /// characters that a terminal would not print as text.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::driver::core::Reason;
    ///
    /// assert_eq!(Reason::bare_or_quoted("/run/my socket"), "/run/my socket");
    /// assert_eq!(Reason::bare_or_quoted("/run/\u{1b}[2J"), r#""/run/\u{1b}[2J""#);
    /// assert_eq!(Reason::bare_or_quoted(""), r#""""#);
    /// ```
    pub fn bare_or_quoted(text: impl AsRef<OsStr>) -> String {
        let (bare, quoted) = (text.as_ref().to_string_lossy(), format!("{:?}", text.as_ref()));
        let is_plain =
            !bare.is_empty() && quoted.len() == bare.len() + 2 && quoted[1..].starts_with(&*bare);
        if is_plain { bare.into_owned() } else { quoted }
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let number = self.0.raw_os_error().map(|number| format!(" (os error {number})"));
        let reason = number.and_then(|number| text.strip_suffix(&number));
        f.write_str(reason.unwrap_or(&text))
    }
}

/// Makes `Debug` print the message of an error: `main` and `unwrap` print an error by `Debug`.
#[macro_export]
#[doc(hidden)]
macro_rules! debug_by_message {
    ($($error:ty),+) => {
        $(impl ::std::fmt::Debug for $error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        })+
    };
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_reason_is_the_text_without_its_number() {
        let number = |number| Reason(&io::Error::from_raw_os_error(number)).to_string();
        assert_eq!(number(8), "Exec format error");
        let unknown =
            if cfg!(target_env = "musl") { "No error information" } else { "Unknown error 4095" };
        assert_eq!(number(4095), unknown);
        let kind = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(Reason(&kind).to_string(), "entity not found");
        let odd = io::Error::other("broken (os error 5)");
        assert_eq!(Reason(&odd).to_string(), "broken (os error 5)");
    }

    #[test]
    fn a_name_that_cannot_be_printed_is_quoted_and_escaped() {
        for (bytes, printed) in [
            (&b"/run/my socket"[..], "/run/my socket"),
            ("/tmp/\u{e4}".as_bytes(), "/tmp/\u{e4}"),
            (b"", r#""""#),
            (b"/a\nb", r#""/a\nb""#),
            (b"/a\0", r#""/a\0""#),
            (b"/\xff", r#""/\xFF""#),
            (b"/\x1b[2J", r#""/\u{1b}[2J""#),
            (b"\"/a\"", r#""\"/a\"""#),
        ] {
            assert_eq!(Reason::bare_or_quoted(OsStr::from_bytes(bytes)), printed);
        }
        assert_eq!(Reason::bare_or_quoted("localhost"), "localhost");
        assert_eq!(Reason::bare_or_quoted("local\r\nhost"), r#""local\r\nhost""#);
    }

    #[test]
    fn an_error_without_a_number_is_kept() {
        let kept = Reason::into_io_error(io::ErrorKind::TimedOut, None, io::Error::other("whole"));
        assert_eq!((kept.kind(), kept.raw_os_error()), (io::ErrorKind::TimedOut, None));
        assert!(kept.get_ref().is_some_and(|error| error.is::<io::Error>()));
    }
}
