//! What a connection that could not be made says.

use std::io;

use thiserror::Error;

/// A connection could not be made; the protocol was dropped and heard nothing.
///
/// It prints where to; its source says why. Of a name with several addresses it is the failure of
/// the last one that was tried.
#[doc(alias = "clientConnectionFailed")]
#[derive(Debug, Error)]
#[error("cannot connect to {destination}")]
pub struct ConnectError {
    destination: String,
    source: io::Error,
}

impl ConnectError {
    pub(crate) fn new(destination: String, source: io::Error) -> Self {
        Self { destination, source }
    }

    /// What was connected to, as it was given.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// The kind of the failure, for instance [`ConnectionRefused`](io::ErrorKind::ConnectionRefused).
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// The number of the failure, where the kernel gave one.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

/// Keeps the kind.
impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        Self::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn it_names_the_destination_and_keeps_the_kind() {
        let source = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = ConnectError::new("localhost:1".to_owned(), source);
        assert_eq!(error.to_string(), "cannot connect to localhost:1");
        assert_eq!(error.source().unwrap().to_string(), "connection refused");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::ConnectionRefused);
    }
}
