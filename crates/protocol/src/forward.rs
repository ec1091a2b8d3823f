//! [`ForwardError`]: the error of forwarding a child's output without passing it through the program.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;

use procession_core::driver::Reason;

/// The error of a forwarding that ended before its source did.
///
/// It prints what was forwarded, how many bytes were moved, and why the forwarding ended.
///
/// # Examples
///
/// ```
/// use procession::ForwardError;
/// use std::io::{Error, ErrorKind};
///
/// let error = ForwardError::new(7, Error::from_raw_os_error(32)).of("child fd 1");
/// assert_eq!(error.to_string(), "forwarding of child fd 1 ended after 7 bytes: Broken pipe");
/// assert_eq!(error.kind(), ErrorKind::BrokenPipe);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ForwardError {
    /// The number of bytes that the target has taken.
    pub moved: u64,
    /// The cause: `BrokenPipe` if the target's reader has gone.
    pub source: io::Error,
    /// The name of the source in the message; empty if it is not known.
    what: Cow<'static, str>,
}

impl ForwardError {
    /// Creates an error, for transports.
    pub fn new(moved: u64, source: impl Into<io::Error>) -> Self {
        Self { moved, source: source.into(), what: Cow::Borrowed("") }
    }

    /// Adds the name of the source to the message, for transports.
    #[must_use]
    pub fn of(mut self, what: impl Into<Cow<'static, str>>) -> Self {
        self.what = what.into();
        self
    }

    /// Returns the cause.
    pub fn io_error(&self) -> &io::Error {
        &self.source
    }

    /// Returns the kind of [`io_error`](Self::io_error).
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("forwarding ")?;
        if !self.what.is_empty() {
            write!(f, "of {} ", self.what)?;
        }
        write!(f, "ended after {} bytes: {}", self.moved, Reason(&self.source))
    }
}

/// Returns the source of the cause, because the message already has the cause itself.
impl Error for ForwardError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

/// Converts to an error of the same kind, with the number or else the message.
impl From<ForwardError> for io::Error {
    fn from(error: ForwardError) -> Self {
        Reason::into_io_error(error.kind(), error.source.raw_os_error(), error)
    }
}

/// Returns the error of a transport that does not implement forwarding, such as a fake.
pub(crate) fn cannot_forward() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the transport cannot forward")
}
