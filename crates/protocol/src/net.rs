//! Byte-stream protocols: what a user implements for a TCP or Unix connection, and its factory.

use crate::{Address, ConnectionEvent, Transport};
use bytes::Bytes;
use procession_core::Mark;
use std::io;

/// Hears what happens to one connection.
///
/// `connection_made` comes first, `connection_lost` once and last. Every method of [`Transport`]
/// may be called in every callback: none calls back at once. A callback that panics is the last
/// one: the protocol is dropped and its connection closed.
#[expect(unused_variables, reason = "the defaults use none; their names are documentation")]
pub trait Protocol {
    /// The connection stands. Called once, first of all.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, transport: &Transport) {}

    /// The peer sent `data`, never empty.
    #[doc(alias = "dataReceived")]
    fn data_received(&mut self, transport: &Transport, data: Bytes) {}

    /// The peer will send no more; writing is still possible. Called at most once, after all data.
    ///
    /// The default closes the connection, once what was written is flushed.
    #[doc(alias = "readConnectionLost")]
    fn read_closed(&mut self, transport: &Transport) {
        transport.lose_connection();
    }

    /// The queue rose above its high limit. Called once until it was drained.
    #[doc(alias = "pauseProducing")]
    fn write_buffer_full(&mut self, transport: &Transport) {}

    /// The queue fell to its low limit or below, after it had been above that.
    #[doc(alias = "resumeProducing")]
    fn write_buffer_drained(&mut self, transport: &Transport) {}

    /// The connection is gone. Called once, last of all; the protocol is dropped when it returns.
    ///
    /// `reason` is `Ok` if it was closed in order, by either side.
    #[doc(alias = "connectionLost")]
    fn connection_lost(&mut self, transport: &Transport, reason: io::Result<()>) {}

    /// Any of these events, each once: the default calls the method for it.
    ///
    /// A transport calls this method alone. A protocol that wraps another one, to log or to count,
    /// overrides it and nothing else, as with
    /// [`ProcessProtocol::on_event`](crate::ProcessProtocol::on_event).
    #[doc(alias = "ProtocolWrapper")]
    #[inline]
    fn on_event(&mut self, transport: &Transport, event: ConnectionEvent) {
        match event {
            // Nearly always.
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

/// Does what the boxed protocol does.
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

/// Makes a protocol for each connection.
///
/// `FnMut() -> P` is one; a factory that wants the peer's address, or refuses connections,
/// implements the trait.
///
/// # Examples
///
/// ```
/// use procession_protocol::{Address, Factory, Protocol};
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
