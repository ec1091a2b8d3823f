//! [`Address`]: the address of one end of a connection.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use procession_core::driver::Reason;

/// The address of one end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket; `None` if it is not bound to a path.
    Unix(Option<PathBuf>),
    /// Neither: the end is a pipe, a terminal or a file.
    Other,
}

/// Prints the address. A path with characters that cannot be printed is quoted and escaped.
///
/// ```
/// use procession::Address;
///
/// assert_eq!(Address::Unix(Some("/run/socket".into())).to_string(), "/run/socket");
/// assert_eq!(Address::Unix(Some("/run/\u{1b}c".into())).to_string(), r#""/run/\u{1b}c""#);
/// ```
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(Some(path)) => f.write_str(&Reason::bare_or_quoted(path)),
            Self::Unix(None) => f.write_str("unnamed"),
            Self::Other => f.write_str("no address"),
        }
    }
}
