//! [`FakeConnection`]: the value that the test of a protocol holds.

use std::fmt;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use procession_core::IntoBytes;

use super::engine::Engine;
use super::wire::PeerEnd;
use crate::{Address, Protocol, Transport};

/// A fake connection: runs a protocol while a test plays the peer's part.
///
/// It uses the lifecycle and the write queue of a real connection. Each call simulates an event, then
/// runs the protocol's callbacks until nothing is due. The getters run due callbacks too.
/// `connection_made` runs inside the constructor. The next call acts on the things that a test does
/// through [`transport`](Self::transport), as a loop would in its next turn. A panic of the protocol
/// unwinds out of the call that ran it; afterwards the protocol is dropped and gets no further call, and
/// the connection is closed.
///
/// There is no descriptor: [`Transport::into_fd`] is `Unsupported`.
///
/// # Examples
///
/// ```
/// use procession::{Bytes, FakeConnection, Protocol, Transport};
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
/// fake.peer_shuts_down(); // the default of `read_closed` closes the connection
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
    /// Creates a fake connection between two Unix sockets without names.
    pub fn new(protocol: impl Protocol + 'static) -> Self {
        Self::between(protocol, Address::Unix(None), Address::Unix(None))
    }

    /// Creates a fake connection between these addresses: the peer's, and this side's.
    pub fn between(protocol: impl Protocol + 'static, peer: Address, host: Address) -> Self {
        let engine = Engine::new(Box::new(protocol), peer, host);
        let transport = Transport::from_control(Rc::clone(&engine) as _);
        let fake = Self { engine, transport };
        fake.turn();
        fake
    }

    /// Returns the same handle that callbacks get.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Runs the callbacks that are due. Every other call does this by itself.
    pub fn turn(&self) {
        self.engine.run();
    }
}

/// The peer's part.
impl FakeConnection {
    /// Simulates that the peer sends data. The data are dropped if the peer has ended its direction, or
    /// the connection is closed.
    pub fn peer_writes(&mut self, data: impl IntoBytes) {
        let data = data.into_bytes();
        let refused = self.engine.state.with(|state| match state.lifecycle.is_lost() {
            false => state.wire.receive(data),
            true => Some(data),
        });
        drop(refused);
        self.turn();
    }

    /// Simulates that the peer sends no more, but still reads.
    pub fn peer_shuts_down(&mut self) {
        self.end_peer(PeerEnd::ShutDown);
    }

    /// Simulates that the peer closes its side: it sends no more, and later writes fail with
    /// `BrokenPipe`.
    pub fn peer_closes(&mut self) {
        self.end_peer(PeerEnd::Closed);
    }

    /// Simulates that the peer resets the connection: the data that it sent before are still delivered,
    /// then reads and writes fail with `ConnectionReset`.
    pub fn peer_resets(&mut self) {
        self.end_peer(PeerEnd::Reset);
    }

    /// Makes the connection full: data that are written stay in the queue.
    pub fn hold_writes(&mut self) {
        self.turn();
        self.engine.state.with(|state| state.wire.output.set_room(Some(0)));
    }

    /// Simulates that the peer reads `bytes` bytes from the full connection.
    pub fn peer_reads(&mut self, bytes: usize) {
        self.engine.state.with(|state| state.wire.output.add_room(bytes));
        self.turn();
    }

    /// Ends the effect of [`hold_writes`](Self::hold_writes).
    pub fn release_writes(&mut self) {
        self.engine.state.with(|state| state.wire.output.set_room(None));
        self.turn();
    }
}

/// What this side did.
impl FakeConnection {
    /// Returns all data that were written and flushed.
    pub fn written(&self) -> Bytes {
        self.turn();
        self.engine.state.with(|state| state.wire.output.written())
    }

    /// Returns whether this side has ended its direction, after a flush of all data.
    pub fn is_shut_down(&self) -> bool {
        self.turn();
        self.engine.state.with(|state| state.wire.is_shut_down())
    }

    /// Returns whether the connection is closed.
    pub fn is_closed(&self) -> bool {
        self.turn();
        self.engine.state.with(|state| state.lifecycle.is_lost())
    }

    /// Returns the reason that `connection_lost` got, once it was called.
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
