//! Byte-stream protocols: the trait that a user implements for a TCP or Unix connection, and its
//! factory.

use std::io;

use bytes::Bytes;
use procession_core::Mark;

use crate::{Address, ConnectionEvent, Transport};

/// Receives the events of one connection.
///
/// `connection_made` comes first, `connection_lost` comes once and last. Callbacks may call every method
/// of [`Transport`]: no method calls the protocol before it returns. If a callback panics, it is the
/// last one: the protocol is dropped and its connection closed.
#[expect(unused_variables, reason = "the defaults use none; their names are documentation")]
pub trait Protocol {
    /// The connection is established. Called once, first of all.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, transport: &Transport) {}

    /// The peer sent `data`, never empty.
    #[doc(alias = "dataReceived")]
    fn data_received(&mut self, transport: &Transport, data: Bytes) {}

    /// The peer will send no more data; writing is still possible. Called at most once, after all data.
    ///
    /// The default closes the connection once all written data is flushed.
    #[doc(alias = "readConnectionLost")]
    fn read_closed(&mut self, transport: &Transport) {
        transport.lose_connection();
    }

    /// The write queue rose above its high limit. Not called again until the queue was drained.
    #[doc(alias = "pauseProducing")]
    fn write_buffer_full(&mut self, transport: &Transport) {}

    /// The write queue fell to its low limit or below, after it was above it.
    #[doc(alias = "resumeProducing")]
    fn write_buffer_drained(&mut self, transport: &Transport) {}

    /// The connection is gone. Called once, last of all; the protocol is dropped when this returns.
    ///
    /// `reason` is `Ok` if either side closed the connection without an error.
    #[doc(alias = "connectionLost")]
    fn connection_lost(&mut self, transport: &Transport, reason: io::Result<()>) {}

    /// An event happened. The default calls the method for it.
    ///
    /// A transport calls only this method, once for each event. A protocol that wraps another one, to log
    /// or to count, overrides only this method, as with
    /// [`ProcessProtocol::on_event`](crate::ProcessProtocol::on_event).
    #[doc(alias = "ProtocolWrapper")]
    #[inline]
    fn on_event(&mut self, transport: &Transport, event: ConnectionEvent) {
        match event {
            // The most frequent event.
            ConnectionEvent::Data(data) => self.data_received(transport, data),
            ConnectionEvent::Made => self.connection_made(transport),
            ConnectionEvent::ReadClosed => self.read_closed(transport),
            ConnectionEvent::Mark(Mark::Full) => self.write_buffer_full(transport),
            ConnectionEvent::Mark(Mark::Drained) => self.write_buffer_drained(transport),
            // A mark of a later version has no callback.
            ConnectionEvent::Mark(_) => {}
            ConnectionEvent::Lost(reason) => self.connection_lost(transport, reason),
        }
    }
}

/// Calls the boxed protocol.
impl<P: Protocol + ?Sized> Protocol for Box<P> {
    fn connection_made(&mut self, transport: &Transport) {
        (**self).connection_made(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: Bytes) {
        (**self).data_received(transport, data);
    }

    fn read_closed(&mut self, transport: &Transport) {
        (**self).read_closed(transport);
    }

    fn write_buffer_full(&mut self, transport: &Transport) {
        (**self).write_buffer_full(transport);
    }

    fn write_buffer_drained(&mut self, transport: &Transport) {
        (**self).write_buffer_drained(transport);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: io::Result<()>) {
        (**self).connection_lost(transport, reason);
    }

    fn on_event(&mut self, transport: &Transport, event: ConnectionEvent) {
        (**self).on_event(transport, event);
    }
}

/// Creates a protocol for each connection.
///
/// Every `FnMut() -> P` is a factory. Implement the trait for a factory that needs the peer's address
/// or refuses connections.
///
/// # Examples
///
/// ```
/// use procession::{Address, Factory, Protocol};
///
/// struct Local;
/// impl Protocol for Local {}
///
/// struct LocalOnly;
/// impl Factory for LocalOnly {
///     fn build_protocol(&mut self, peer: &Address) -> Option<Box<dyn Protocol>> {
///         match peer {
///             Address::Tcp(peer) if peer.ip().is_loopback() => Some(Box::new(Local)),
///             _ => None,
///         }
///     }
/// }
/// ```
#[doc(alias = "forProtocol")]
pub trait Factory {
    /// Returns the protocol for a connection from `peer`, or `None` to refuse it.
    #[doc(alias = "buildProtocol")]
    fn build_protocol(&mut self, peer: &Address) -> Option<Box<dyn Protocol>>;
}

impl<F, P> Factory for F
where
    F: FnMut() -> P,
    P: Protocol + 'static,
{
    fn build_protocol(&mut self, _: &Address) -> Option<Box<dyn Protocol>> {
        Some(Box::new(self()))
    }
}
