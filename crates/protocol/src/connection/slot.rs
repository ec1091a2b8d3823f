//! [`ConnectionSlot`]: where a stream transport keeps its protocol.

use super::event::ConnectionEvent;
use crate::kept::{Kept, Last};
use crate::{Protocol, Transport};
use bytes::Bytes;
use std::fmt;
use std::thread;

/// Keeps the protocol of a connection and calls it.
///
/// The protocol is moved out for the length of a callback, so nothing is borrowed while it runs,
/// and put back when the callback returns. It is dropped after `connection_lost`, and after a panic.
///
/// # Examples
///
/// ```
/// use procession_protocol::{ConnectionEvent, ConnectionSlot, FakeConnection, Protocol};
///
/// struct Quiet;
/// impl Protocol for Quiet {}
///
/// let fake = FakeConnection::new(Quiet);
/// let slot = ConnectionSlot::new(Box::new(Quiet));
/// assert!(slot.try_deliver(fake.transport(), ConnectionEvent::Made).is_ok());
/// assert!(!slot.is_gone());
/// ```
pub struct ConnectionSlot(Kept<dyn Protocol>);

impl ConnectionSlot {
    /// Keeps a protocol.
    pub fn new(protocol: Box<dyn Protocol>) -> Self {
        Self(Kept::new(protocol))
    }

    /// Calls the protocol's method for `event`.
    ///
    /// Nothing is called once the protocol is gone, nor while a callback is running: drivers queue.
    ///
    /// # Errors
    ///
    /// The payload of a panic, so that a driver can put its state in order before it lets the panic
    /// go on; the protocol is dropped.
    pub fn try_deliver(&self, transport: &Transport, event: ConnectionEvent) -> thread::Result<()> {
        let last = if matches!(event, ConnectionEvent::Lost(_)) { Last::Yes } else { Last::No };
        self.0.try_call(last, |protocol| protocol.on_event(transport, event))
    }

    /// Does the same for [`ConnectionEvent::Data`].
    ///
    /// # Errors
    ///
    /// As [`try_deliver`](Self::try_deliver).
    #[inline]
    pub fn try_deliver_data(&self, transport: &Transport, data: Bytes) -> thread::Result<()> {
        let event = ConnectionEvent::Data(data);
        self.0.try_call(Last::No, |protocol| protocol.on_event(transport, event))
    }

    /// Takes the protocol out for good, for the caller to drop where nothing is borrowed.
    ///
    /// One that is in a callback is dropped when that returns.
    #[must_use = "drop it where nothing is borrowed"]
    pub fn retire(&self) -> Option<Box<dyn Protocol>> {
        self.0.retire()
    }

    /// Returns whether the protocol heard of the loss, panicked or was retired.
    pub fn is_gone(&self) -> bool {
        self.0.is_gone()
    }
}

impl fmt::Debug for ConnectionSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSlot").field("gone", &self.is_gone()).finish_non_exhaustive()
    }
}
