//! Support for the behaviour tests of this crate: a recording protocol, and a loop that is driven
//! until a condition holds. It re-exports what the tests use of the test-support crate.
#![allow(dead_code, unused_imports, reason = "every test crate includes all and uses a part")]

mod drive;
mod recorder;

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};

pub(crate) use procession_test_support::sys::in_a_copy;
pub(crate) use procession_test_support::{
    WATCHDOG, bound, isolated, isolated_without_leak_check, open_fds, sanitizer, skip, skip_here,
};

pub(crate) use self::drive::{Driver, behaviour, try_client};
pub(crate) use self::recorder::{Event, Record, Recorder};

/// Connects a nonblocking client to a listener.
pub(crate) fn connected(address: SocketAddr) -> TcpStream {
    try_client(address).expect("it listens")
}

/// Reads everything that a nonblocking peer has sent. Returns whether the stream has ended; panics
/// on an error.
pub(crate) fn drain(peer: &mut impl Read, into: &mut Vec<u8>) -> bool {
    try_drain(peer, into).expect("the connection is in order")
}

/// Reads everything that a nonblocking peer has sent. Returns whether the stream has ended.
pub(crate) fn try_drain(peer: &mut impl Read, into: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut buffer = [0; 65536];
    loop {
        match peer.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(n) => into.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Returns bytes in which a lost, doubled or moved byte shows.
pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(bytes).collect()
}
