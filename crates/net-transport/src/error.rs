//! The errors of connecting and listening.

use std::error::Error;
use std::fmt;
use std::io;

use procession_core::driver::Reason;

/// The error of a connection that could not be made. Its protocol was dropped without a callback.
///
/// The printed error names the destination and the reason. If a name has several addresses, the
/// reason is that of the last address that was tried.
#[doc(alias = "clientConnectionFailed")]
#[derive(Debug)]
pub struct ConnectError {
    destination: String,
    failed: &'static str,
    reason: io::Error,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The step that failed, for the message. Empty if the reason is clear without it.
    pub(crate) failed: &'static str,
    pub(crate) reason: io::Error,
}

impl<E: Into<io::Error>> From<E> for Failure {
    fn from(reason: E) -> Self {
        Self { failed: "", reason: reason.into() }
    }
}

/// The error of an address that cannot be listened on. The factory was dropped.
///
/// The printed error names the address and the reason.
#[derive(Debug)]
pub struct ListenError {
    address: String,
    reason: io::Error,
}

impl ConnectError {
    pub(crate) fn new(destination: String, failure: impl Into<Failure>) -> Self {
        let Failure { failed, reason } = failure.into();
        Self { destination, failed, reason }
    }

    /// Returns the destination as it is printed. It is quoted and escaped if it has characters that
    /// cannot be printed.
    pub fn destination(&self) -> &str {
        &self.destination
    }
}

impl ListenError {
    pub(crate) fn new(address: String, reason: io::Error) -> Self {
        Self { address, reason }
    }

    /// Returns the address as it is printed: an address or a name with a port, or a path. It is quoted
    /// and escaped if it has characters that cannot be printed.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect to {}: ", self.destination)?;
        if !self.failed.is_empty() {
            write!(f, "{}: ", self.failed)?;
        }
        Reason(&self.reason).fmt(f)
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, Reason(&self.reason))
    }
}

macro_rules! reasons {
    ($type:ident) => {
        impl $type {
            /// Returns the reason.
            pub fn io_error(&self) -> &io::Error {
                &self.reason
            }

            /// Returns the kind of the reason, for instance
            /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) or
            /// [`AddrInUse`](io::ErrorKind::AddrInUse).
            pub fn kind(&self) -> io::ErrorKind {
                self.reason.kind()
            }

            /// Returns the OS error number of the reason, if it has one.
            pub fn raw_os_error(&self) -> Option<i32> {
                self.reason.raw_os_error()
            }
        }

        /// The source is that of the reason, whose own text is already in this error's text.
        impl Error for $type {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                self.reason.source()
            }
        }

        /// Keeps the kind, and either the OS error number or the message.
        impl From<$type> for io::Error {
            fn from(error: $type) -> Self {
                Reason::into_io_error(error.kind(), error.raw_os_error(), error)
            }
        }
    };
}

reasons!(ConnectError);
reasons!(ListenError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_name_what_failed_and_keep_the_kind() {
        let reason = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = ConnectError::new("localhost:1".to_owned(), reason());
        assert_eq!(error.to_string(), "cannot connect to localhost:1: connection refused");
        assert!(error.source().is_none());
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::ConnectionRefused);
        let error = ListenError::new("localhost:1".to_owned(), reason());
        let text = "cannot listen on localhost:1: connection refused";
        assert_eq!(error.to_string(), text);
        assert_eq!(io::Error::from(error).to_string(), text);
    }
}
