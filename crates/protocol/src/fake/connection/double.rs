//! [`FakeConnection`]: what the test of a protocol holds.

use super::engine::Engine;
use super::wire::PeerEnd;
use crate::{Address, Protocol, Transport};
use bytes::Bytes;
use procession_core::IntoBytes;
use std::fmt;
use std::io;
use std::rc::Rc;

/// Runs a protocol over a connection whose peer's part a test plays.
///
/// The lifecycle and the write queue are those of a real connection. Each call plays a fact, then
/// runs the protocol's callbacks until nothing is due; so do the calls that look at something.
/// `connection_made` runs inside the constructor. What a test does through
/// [`transport`](Self::transport) is acted on by the next call, as a loop would in its next turn. A
/// panic of the protocol unwinds out of the call that ran it; afterwards the protocol is dropped, gets
/// no further call, and the connection is closed.
///
/// There is no descriptor: [`Transport::into_fd`] is `Unsupported`.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use procession_protocol::{FakeConnection, Protocol, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: Bytes) {
///         transport.write(data);
///     }
/// }
///
/// let mut fake = FakeConnection::new(Echo);
/// fake.peer_writes("hello");
/// assert_eq!(fake.written(), "hello");
/// fake.peer_shuts_down(); // and the default of `read_closed` closes the connection
/// assert!(fake.is_closed());
/// assert_eq!(fake.lost(), Some(Ok(())));
/// ```
#[doc(alias = "StringTransport")]
#[must_use = "its protocol is dropped with it"]
pub struct FakeConnection {
    engine: Rc<Engine>,
    transport: Transport,
}

impl FakeConnection {
    /// Starts a fake connection between two Unix sockets without names.
    pub fn new(protocol: impl Protocol + 'static) -> Self {
        Self::between(protocol, Address::Unix(None), Address::Unix(None))
    }

    /// Starts a fake connection between these addresses: the peer's, and this side's.
    pub fn between(protocol: impl Protocol + 'static, peer: Address, host: Address) -> Self {
        let engine = Engine::new(Box::new(protocol), peer, host);
        let transport = Transport::from_control(Rc::clone(&engine) as _);
        let fake = Self { engine, transport };
        fake.turn();
        fake
    }

    /// Returns a handle, of the same kind as callbacks are given.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Runs what is due. Every other call does so by itself.
    pub fn turn(&self) {
        self.engine.run();
    }
}

/// The peer's part.
impl FakeConnection {
    /// Plays that the peer sends data. What it cannot send, because it has ended its direction or
    /// the connection is closed, is dropped.
    pub fn peer_writes(&mut self, data: impl IntoBytes) {
        let data = data.into_bytes();
        let refused = self.engine.state.with(|state| match state.lifecycle.is_lost() {
            false => state.wire.receive(data),
            true => Some(data),
        });
        drop(refused);
        self.turn();
    }

    /// Plays that the peer sends no more, but goes on reading.
    pub fn peer_shuts_down(&mut self) {
        self.end_peer(PeerEnd::ShutDown);
    }

    /// Plays that the peer closes its side: it sends no more, and what is written from now on fails
    /// with `BrokenPipe`.
    pub fn peer_closes(&mut self) {
        self.end_peer(PeerEnd::Closed);
    }

    /// Plays that the peer resets the connection: what it sent before is still delivered, then reads
    /// and writes fail with `ConnectionReset`.
    pub fn peer_resets(&mut self) {
        self.end_peer(PeerEnd::Reset);
    }

    /// Makes the connection full: what is written stays in the queue.
    pub fn hold_writes(&mut self) {
        self.turn();
        self.engine.state.with(|state| state.wire.set_room(Some(0)));
    }

    /// Plays that the peer reads `bytes` bytes out of the full connection.
    pub fn peer_reads(&mut self, bytes: usize) {
        self.engine.state.with(|state| state.wire.add_room(bytes));
        self.turn();
    }

    /// Ends what [`hold_writes`](Self::hold_writes) began.
    pub fn release_writes(&mut self) {
        self.engine.state.with(|state| state.wire.set_room(None));
        self.turn();
    }
}

/// What this side did.
impl FakeConnection {
    /// Returns all that was written and flushed.
    pub fn written(&self) -> Bytes {
        self.turn();
        self.engine.state.with(|state| state.wire.written())
    }

    /// Returns whether this side has shut its direction down, and all was flushed before.
    pub fn is_shut_down(&self) -> bool {
        self.turn();
        self.engine.state.with(|state| state.wire.is_shut_down())
    }

    /// Returns whether the connection is closed.
    pub fn is_closed(&self) -> bool {
        self.turn();
        self.engine.state.with(|state| state.lifecycle.is_lost())
    }

    /// Returns the reason that `connection_lost` was given, once it was called.
    pub fn lost(&self) -> Option<Result<(), io::ErrorKind>> {
        self.turn();
        self.engine.lost()
    }
}

impl FakeConnection {
    fn end_peer(&self, end: PeerEnd) {
        self.engine.state.with(|state| state.wire.end_peer(end));
        self.turn();
    }
}

impl Drop for FakeConnection {
    fn drop(&mut self) {
        self.engine.retire();
    }
}

impl fmt::Debug for FakeConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeConnection").field("transport", &self.transport).finish_non_exhaustive()
    }
}
