//! The error of a connection, a listener or an attempt to connect when the reactor stops.

use std::io::{self, ErrorKind};

pub(crate) fn stopped() -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, "the event loop stopped")
}
