//! How moving a child's output on, without passing it through the program, fails: [`ForwardError`].

use procession_core::driver::Reason;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;

/// Says why a forwarding ended before its source did.
///
/// It prints what was moved on, how far it came, and why it ended.
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
    /// The bytes that the target has taken.
    pub moved: u64,
    /// What failed: `BrokenPipe` where the target's reader has gone.
    pub source: io::Error,
    /// What was moved on; empty if that is not known.
    what: Cow<'static, str>,
}

impl ForwardError {
    /// Creates an error, for transports.
    pub fn new(moved: u64, source: impl Into<io::Error>) -> Self {
        Self { moved, source: source.into(), what: Cow::Borrowed("") }
    }

    /// Adds to the message what was moved on, for transports.
    #[must_use]
    pub fn of(mut self, what: impl Into<Cow<'static, str>>) -> Self {
        self.what = what.into();
        self
    }

    /// Returns why it ended.
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

/// The source of the reason, which is printed already.
impl Error for ForwardError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

/// Keeps the kind, and the number or else the message.
impl From<ForwardError> for io::Error {
    fn from(error: ForwardError) -> Self {
        Reason::into_io_error(error.kind(), error.source.raw_os_error(), error)
    }
}

/// Why a transport moves nothing on that does not say how: a fake, for instance.
pub(crate) fn cannot_forward() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the transport cannot forward")
}
