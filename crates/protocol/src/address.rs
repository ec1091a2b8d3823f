//! [`Address`]: where an end of a connection is.

use procession_core::message::bare_or_quoted;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Names an end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket; `None` if it is not bound to a path.
    Unix(Option<PathBuf>),
    /// Neither: a pipe, a terminal, a file.
    Other,
}

/// A path is quoted and escaped where it has characters that cannot be printed.
///
/// ```
/// use procession_protocol::Address;
///
/// assert_eq!(Address::Unix(Some("/run/socket".into())).to_string(), "/run/socket");
/// assert_eq!(Address::Unix(Some("/run/\u{1b}c".into())).to_string(), r#""/run/\u{1b}c""#);
/// ```
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(Some(path)) => f.write_str(&bare_or_quoted(path)),
            Self::Unix(None) => f.write_str("unnamed"),
            Self::Other => f.write_str("no address"),
        }
    }
}
