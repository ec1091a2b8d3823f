//! The destination of a TCP connection, or the place to listen on: an address, or a name to look up.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use procession_core::driver::Reason;

/// The destination of a TCP connection, or the address to listen on.
///
/// Build it from a [`SocketAddr`], an IP address and a port, a name and a port, or text such as
/// `"localhost:80"` or `"[::1]:80"`. Only a name is looked up. Text that is neither a name nor an
/// address, with a port, makes the connection or the listening fail, with an error that names the
/// text.
///
/// # Examples
///
/// ```
/// use procession::Destination;
///
/// assert_eq!(Destination::from(("::1", 80)).to_string(), "[::1]:80");
/// assert_eq!(Destination::from("example.org:80").to_string(), "example.org:80");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination(pub(crate) DestinationKind);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DestinationKind {
    Address(SocketAddr),
    Name(String, u16),
    /// Text that lacks a host or a port.
    Bad(String),
}

impl From<SocketAddr> for Destination {
    fn from(address: SocketAddr) -> Self {
        Self(DestinationKind::Address(address))
    }
}

impl From<SocketAddrV4> for Destination {
    fn from(address: SocketAddrV4) -> Self {
        Self(DestinationKind::Address(address.into()))
    }
}

impl From<SocketAddrV6> for Destination {
    fn from(address: SocketAddrV6) -> Self {
        Self(DestinationKind::Address(address.into()))
    }
}

impl From<(IpAddr, u16)> for Destination {
    fn from(address: (IpAddr, u16)) -> Self {
        Self(DestinationKind::Address(address.into()))
    }
}

impl From<(Ipv4Addr, u16)> for Destination {
    fn from(address: (Ipv4Addr, u16)) -> Self {
        Self(DestinationKind::Address(address.into()))
    }
}

impl From<(Ipv6Addr, u16)> for Destination {
    fn from(address: (Ipv6Addr, u16)) -> Self {
        Self(DestinationKind::Address(address.into()))
    }
}

impl From<(&str, u16)> for Destination {
    fn from((host, port): (&str, u16)) -> Self {
        (host.to_owned(), port).into()
    }
}

impl From<(String, u16)> for Destination {
    fn from((host, port): (String, u16)) -> Self {
        match host.parse::<IpAddr>() {
            Ok(ip) => (ip, port).into(),
            Err(_) => Self(DestinationKind::Name(host, port)),
        }
    }
}

impl DestinationKind {
    /// Returns the error of [`Bad`](Self::Bad) text.
    pub(crate) fn refusal() -> io::Error {
        io::Error::new(ErrorKind::InvalidInput, "neither an address nor a name, with a port")
    }

    /// Returns the error of a name without an address.
    pub(crate) fn no_address() -> io::Error {
        io::Error::new(ErrorKind::NotFound, "the name has no address")
    }
}

/// Parses `host:port`.
impl From<&str> for Destination {
    fn from(text: &str) -> Self {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return address.into();
        }
        let name_and_port = text.rsplit_once(':').and_then(|(host, port)| {
            let port = port.parse().ok()?;
            (!host.is_empty()).then_some((host, port))
        });
        match name_and_port {
            Some(parts) => parts.into(),
            None => Self(DestinationKind::Bad(text.to_owned())),
        }
    }
}

/// Parses `host:port`.
impl From<String> for Destination {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

/// Parses `host:port`.
impl From<&String> for Destination {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            DestinationKind::Address(address) => address.fmt(f),
            DestinationKind::Name(host, port) => {
                write!(f, "{}:{port}", Reason::bare_or_quoted(host))
            }
            DestinationKind::Bad(text) => write!(f, "{text:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_no_lookup_however_they_are_given() {
        let address: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let given: [Destination; 6] = [
            address.into(),
            "127.0.0.1:80".into(),
            "127.0.0.1:80".to_owned().into(),
            ("127.0.0.1", 80).into(),
            (Ipv4Addr::LOCALHOST, 80).into(),
            (address.ip(), 80).into(),
        ];
        assert!(given.iter().all(|one| one.0 == DestinationKind::Address(address)));
    }

    #[test]
    fn text_without_host_or_port_is_bad() {
        for text in ["localhost", ":80", "localhost:", "localhost:70000", ""] {
            assert_eq!(Destination::from(text).0, DestinationKind::Bad(text.to_owned()));
        }
    }
}
