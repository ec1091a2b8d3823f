//! What every behaviour test of this crate stands on: a recording protocol, a loop that is driven
//! to a condition, beside what the crate of test support has for all.
#![allow(dead_code, unused_imports, reason = "every test crate has all of this and uses its part")]

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

/// A nonblocking client of a listener that is there.
pub(crate) fn connected(address: SocketAddr) -> TcpStream {
    try_client(address).expect("it listens")
}

/// Reads what a nonblocking peer has; true at the end of it. Fails on a reset.
pub(crate) fn drain(peer: &mut impl Read, into: &mut Vec<u8>) -> bool {
    try_drain(peer, into).expect("the connection is in order")
}

/// Reads what a nonblocking peer has; true at the end of it.
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

/// Bytes in which a lost, doubled or moved one shows.
pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(bytes).collect()
}
