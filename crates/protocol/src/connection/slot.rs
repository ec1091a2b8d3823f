//! [`ConnectionSlot`]: holds the protocol of a stream transport.

use std::fmt;
use std::thread;

use bytes::Bytes;
use procession_core::Mark;

use super::event::ConnectionEvent;
use crate::kept::{DropAfter, ProtocolHolder, drop_caught, first_panic};
use crate::transport_control::Producers;
use crate::{Protocol, Transport};

/// Holds the protocol of a connection and calls it.
///
/// The protocol is moved out during a callback, so nothing is borrowed while it runs, and moved back
/// when the callback returns. It is dropped after `connection_lost`, and after a panic. The producer gets
/// each event just before it does, and is dropped after it.
///
/// # Examples
///
/// ```
/// use procession::{ConnectionEvent, FakeConnection, Protocol};
/// use procession::driver::protocol::ConnectionSlot;
///
/// struct Quiet;
/// impl Protocol for Quiet {}
///
/// let fake = FakeConnection::new(Quiet);
/// let slot = ConnectionSlot::new(Box::new(Quiet));
/// assert!(slot.try_deliver(fake.transport(), ConnectionEvent::Made).is_ok());
/// assert!(!slot.is_gone());
/// ```
pub struct ConnectionSlot {
    protocol: ProtocolHolder<dyn Protocol>,
    producers: Producers,
}

impl ConnectionSlot {
    /// Creates a slot that holds `protocol`.
    pub fn new(protocol: Box<dyn Protocol>) -> Self {
        Self { protocol: ProtocolHolder::new(protocol), producers: Producers::new() }
    }

    /// Calls the protocol's method for `event`.
    ///
    /// Does nothing once the protocol is gone, or while a callback is running: drivers must queue.
    ///
    /// # Errors
    ///
    /// The payload of a panic; the protocol is dropped. The driver first brings its own state in order,
    /// then resumes the panic.
    #[inline]
    pub fn try_deliver(&self, transport: &Transport, event: ConnectionEvent) -> thread::Result<()> {
        let last =
            if matches!(event, ConnectionEvent::Lost(_)) { DropAfter::Yes } else { DropAfter::No };
        self.protocol.try_call(
            last,
            |protocol| {
                match event {
                    ConnectionEvent::Mark(mark) => {
                        self.producers.on_mark(None, mark);
                        if mark == Mark::Emptied {
                            return; // only the producer gets it
                        }
                    }
                    ConnectionEvent::Lost(_) => self.producers.on_lost(None),
                    _ => {}
                }
                protocol.on_event(transport, event);
            },
            |called| self.end(called),
        )
    }

    /// Calls `data_received`, like [`try_deliver`](Self::try_deliver) with [`ConnectionEvent::Data`].
    ///
    /// # Errors
    ///
    /// Those of [`try_deliver`](Self::try_deliver).
    #[inline]
    pub fn try_deliver_data(&self, transport: &Transport, data: Bytes) -> thread::Result<()> {
        let event = ConnectionEvent::Data(data);
        self.protocol.try_call(
            DropAfter::No,
            |protocol| protocol.on_event(transport, event),
            |called| self.end(called),
        )
    }

    /// Drops the producer after the protocol is gone.
    #[cold]
    fn end(&self, called: thread::Result<()>) -> thread::Result<()> {
        first_panic(called, drop_caught(|| self.producers.retire()))
    }

    /// Takes the protocol out for good. Drop it while nothing is borrowed.
    ///
    /// This drops the producer, so also call it while nothing is borrowed. If the protocol is in a
    /// callback, it is dropped when that returns.
    #[must_use = "drop it while nothing is borrowed"]
    pub fn retire(&self) -> Option<Box<dyn Protocol>> {
        self.producers.retire();
        self.protocol.retire()
    }

    /// Returns the registry of the producer that writes to the connection.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Returns whether `connection_lost` was called, or the protocol panicked or was retired.
    pub fn is_gone(&self) -> bool {
        self.protocol.is_gone()
    }
}

impl fmt::Debug for ConnectionSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSlot").field("gone", &self.is_gone()).finish_non_exhaustive()
    }
}
