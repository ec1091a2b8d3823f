//! What every behaviour test of this crate stands on: a recording protocol, a loop that is driven
//! to a condition, and a process for each test, in which descriptors can be counted.
#![allow(dead_code, unused_imports, reason = "every test crate has all of this and uses its part")]

#[path = "../../../process-transport/tests/util/bound.rs"]
mod bound;
mod drive;
mod isolate;
mod recorder;
#[path = "../../../process-transport/tests/util/sanitizer.rs"]
mod sanitizer;
#[path = "../../../process-transport/tests/util/skip.rs"]
mod skip;
#[path = "../../../utils/tests/util/sys.rs"]
mod sys;

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(crate) use self::bound::bound;
pub(crate) use self::drive::{Driver, behaviour, open_fds, try_client};
pub(crate) use self::isolate::{isolated, isolated_without_leak_check};
pub(crate) use self::recorder::{Event, Record, Recorder};
pub(crate) use self::sanitizer::sanitizer;
pub(crate) use self::skip::{skip, skip_here};
pub(crate) use self::sys::in_a_copy;

/// Nothing that a test waits for takes this long; on a busy machine, not its [`bound`].
pub(crate) const WATCHDOG: Duration = Duration::from_secs(10);

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
