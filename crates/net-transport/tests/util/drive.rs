//! Drives the loop of a test until a condition holds, and checks that no descriptor is left.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use procession_net_transport::{Listener, NetTransports};
use procession_protocol::{Address, Protocol, Transport};
use procession_reactor::Reactor;
use procession_test_support::{WATCHDOG, bound, isolated, open_fds};

use super::{Record, Recorder};

/// Runs `body` with a loop in a process of its own, then checks that neither the body nor the
/// reactor has left a descriptor open.
pub(crate) fn behaviour(name: &str, body: impl FnOnce(&mut Driver)) {
    isolated(name, || {
        let (alone, outside) = (threads(), open_fds());
        let mut driver = Driver(Reactor::new().expect("a reactor"));
        let before = open_fds();
        body(&mut driver);
        driver.until("lookups have ended", || threads() == alone);
        driver.turns(3);
        assert_eq!(open_fds(), before, "descriptors are left while the reactor lives");
        drop(driver);
        assert_eq!(open_fds(), outside, "descriptors outlive the reactor");
    });
}

/// Returns how many threads this process has. The threads of lookups own descriptors for a moment.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("/proc is mounted").count()
}

/// A reactor, with methods that drive it.
#[derive(Debug)]
pub(crate) struct Driver(pub(crate) Reactor);

impl Deref for Driver {
    type Target = Reactor;

    fn deref(&self) -> &Reactor {
        &self.0
    }
}

impl DerefMut for Driver {
    fn deref_mut(&mut self) -> &mut Reactor {
        &mut self.0
    }
}

impl Driver {
    /// Drives the loop until `done`.
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut() -> bool) {
        let within = bound(WATCHDOG);
        let deadline = self.now() + within;
        while !done() {
            let left = deadline.saturating_sub(self.now());
            assert!(!left.is_zero(), "not within {within:?}: {what}");
            // A peer outside of the loop causes no event, so look again soon.
            self.turn(Some(left.min(Duration::from_millis(5)))).expect("a turn");
        }
    }

    /// Runs `count` turns that do not wait.
    pub(crate) fn turns(&mut self, count: usize) {
        for _ in 0..count {
            self.turn(Some(Duration::ZERO)).expect("a turn");
        }
    }

    /// Returns how many turns the loop makes in `time`.
    pub(crate) fn wakeups_within(&mut self, time: Duration) -> usize {
        let end = self.now() + time;
        let mut turns = 0;
        loop {
            let left = end.saturating_sub(self.now());
            if left.is_zero() {
                return turns;
            }
            self.turn(Some(left)).expect("a turn");
            turns += 1;
        }
    }

    /// Drives the loop until a callback panics, and returns the message.
    pub(crate) fn until_panic(&mut self) -> String {
        let deadline = self.now() + bound(WATCHDOG);
        while self.now() < deadline {
            let turn = || self.0.turn(Some(Duration::from_millis(5))).expect("a turn");
            if let Err(panic) = catch_unwind(AssertUnwindSafe(turn)) {
                return (*panic.downcast::<&str>().expect("a message")).to_owned();
            }
        }
        panic!("no callback panicked");
    }

    /// Returns a listener on a port that the kernel chooses, and its address.
    pub(crate) fn listen<P: Protocol + 'static>(
        &mut self,
        factory: impl FnMut() -> P + 'static,
    ) -> (Listener, SocketAddr) {
        let listener = self.listen_tcp("127.0.0.1:0", factory).expect("a port");
        let address = tcp(&listener.host());
        (listener, address)
    }

    /// Makes a connection. Returns the record and the transport of the server's side, and the
    /// nonblocking client.
    pub(crate) fn connection(&mut self, recorder: Recorder) -> (Record, Transport, TcpStream) {
        let record = recorder.record.clone();
        let mut recorder = Some(recorder);
        let (listener, address) = self.listen(move || recorder.take().expect("one connection"));
        let client = try_client(address).expect("it listens");
        self.until("it is accepted", || record.transport().is_some());
        listener.stop_listening();
        let transport = record.transport().expect("it is accepted");
        (record, transport, client)
    }
}

/// Connects a nonblocking client.
pub(crate) fn try_client(address: SocketAddr) -> io::Result<TcpStream> {
    let client = TcpStream::connect(address)?;
    client.set_nonblocking(true)?;
    Ok(client)
}

/// Returns the TCP address in `address`.
pub(crate) fn tcp(address: &Address) -> SocketAddr {
    match address {
        Address::Tcp(address) => *address,
        other => panic!("no TCP address: {other}"),
    }
}
