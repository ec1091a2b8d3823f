//! The methods of [`Transport`]: the handle that connecting returns, and that callbacks get.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::Bytes;
use procession_core::{Deferred, IntoBytes, WriteError};

use crate::transport_control::{Producers, Transport, TransportControl};
use crate::{Address, ForwardError, Pace, Producer, ProducerError, Target};

impl Transport {
    pub(crate) fn from_control(control: Rc<dyn TransportControl>) -> Self {
        Self(control)
    }

    /// Queues data for the peer. The callbacks report the outcome. A refused write is dropped without an
    /// error; [`try_write`](Self::try_write) returns the reason instead.
    #[doc(alias = "sendLine")]
    pub fn write(&self, data: impl IntoBytes) {
        // Dropped on purpose: once the connection is closed, nobody reads the data.
        self.try_write(data).ok();
    }

    /// Queues data for the peer. Never blocks, keeps the order, copies nothing.
    ///
    /// A queue takes any amount, full or not, unless it has a
    /// [hard limit](Self::set_write_hard_limit). If the write fills the queue, it pauses a
    /// [push producer](Pace::Push) before it returns. A producer that writes inside its own callback gets
    /// `BufferFull` from its next write on.
    ///
    /// # Errors
    ///
    /// Nothing is queued if the connection is closed, cannot be written to, or its queue is full.
    #[doc(alias = "write_all")]
    pub fn try_write(&self, data: impl IntoBytes) -> Result<(), WriteError> {
        let data = data.into_bytes();
        match self.0.producers().filter(|producers| producers.is_any()) {
            None => self.0.write(data),
            Some(producers) => producers.write(&*self.0, data),
        }
    }

    /// Queues a copy of borrowed data.
    pub fn write_copy(&self, data: &[u8]) {
        self.write(Bytes::copy_from_slice(data));
    }

    /// Queues several pieces, up to the first that is refused.
    #[doc(alias = "writeSequence")]
    pub fn write_sequence<I>(&self, pieces: I)
    where
        I: IntoIterator,
        I::Item: IntoBytes,
    {
        for piece in pieces {
            if self.try_write(piece).is_err() {
                return; // as in `write`; no later piece may follow the gap
            }
        }
    }

    /// Returns the number of queued bytes.
    pub fn write_buffered(&self) -> usize {
        self.0.write_buffered()
    }

    /// Sets the limits, in bytes, of the queue: above `high` it is full, at `low` or below it is
    /// drained. The defaults are 64 KiB and 0. A `low` above `high` counts as `high`.
    ///
    /// # Errors
    ///
    /// The connection is closed or cannot be written to.
    pub fn set_write_limits(&self, high: usize, low: usize) -> Result<(), WriteError> {
        self.0.set_write_limits(high, low)
    }

    /// Returns the limits, in bytes, of the queue, the high one first; `None` if there is no queue.
    pub fn write_limits(&self) -> Option<(usize, usize)> {
        self.0.write_limits()
    }

    /// Makes writes that would queue more than `max` bytes fail; `None` removes the limit. At first there is
    /// none.
    ///
    /// # Errors
    ///
    /// The connection is closed or cannot be written to.
    pub fn set_write_hard_limit(&self, max: Option<usize>) -> Result<(), WriteError> {
        self.0.set_write_hard_limit(max)
    }

    /// Registers a source of data. It is paused while the queue is full, and resumed when the queue is
    /// drained. This call asks a pull producer for its first data; later it is asked each time the queue
    /// is empty.
    ///
    /// # Errors
    ///
    /// The connection already has a producer, or cannot be written to. The error gives the producer back.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{FakeConnection, Pace, Protocol, ReadProducer};
    ///
    /// struct Quiet;
    /// impl Protocol for Quiet {}
    ///
    /// let fake = FakeConnection::new(Quiet);
    /// let (producer, sent) = ReadProducer::new("a file".as_bytes());
    /// fake.transport().register_producer(Pace::Pull, producer)?;
    /// fake.transport().lose_connection(); // waits for the producer
    /// assert_eq!(fake.written(), "a file");
    /// assert!(fake.is_closed());
    /// # Ok::<(), procession::ProducerError>(())
    /// ```
    #[doc(alias = "registerProducer")]
    pub fn register_producer(
        &self,
        pace: Pace,
        producer: impl Producer + 'static,
    ) -> Result<(), ProducerError> {
        Producers::register(self, pace, Box::new(producer))
    }

    /// Drops the producer, and returns whether there was one.
    #[doc(alias = "unregisterProducer")]
    pub fn unregister_producer(&self) -> bool {
        self.0.producers().is_some_and(|producers| producers.unregister(&*self.0))
    }

    /// Closes the connection once its producer is done and all written data is flushed. A second call
    /// has no effect.
    ///
    /// A [producer](Producer) is done when it is unregistered, or closes the connection itself. Until then
    /// its data are sent, and the peer's data are still received.
    #[doc(alias = "loseConnection")]
    #[doc(alias = "close")]
    pub fn lose_connection(&self) {
        self.on_close();
        self.0.lose_connection();
    }

    /// Drops the data that are not flushed, and closes the connection, without waiting for a producer.
    #[doc(alias = "abortConnection")]
    pub fn abort_connection(&self) {
        self.0.abort_connection();
    }

    /// Ends the writing direction once its producer is done and all written data is flushed; the peer
    /// may still send.
    #[doc(alias = "loseWriteConnection")]
    #[doc(alias = "shutdown")]
    pub fn shutdown_write(&self) {
        self.on_close();
        self.0.shutdown_write();
    }

    /// Stops reading until [`resume`](Self::resume).
    #[doc(alias = "pauseProducing")]
    pub fn pause(&self) {
        self.0.pause();
    }

    /// Reads again.
    #[doc(alias = "resumeProducing")]
    pub fn resume(&self) {
        self.0.resume();
    }

    /// Returns the other side's address.
    #[doc(alias = "getPeer")]
    #[doc(alias = "peer_addr")]
    pub fn peer(&self) -> Address {
        self.0.peer()
    }

    /// Returns this side's address.
    #[doc(alias = "getHost")]
    #[doc(alias = "local_addr")]
    pub fn host(&self) -> Address {
        self.0.host()
    }

    /// Takes the descriptor out of the loop and makes it blocking again, for example to give it to a
    /// child.
    ///
    /// The protocol gets no further call and is dropped; for other handles the connection is closed.
    ///
    /// # Errors
    ///
    /// `Unsupported` if there is no single descriptor, `NotConnected` once the connection is closed;
    /// else the error of the kernel.
    pub fn into_fd(self) -> io::Result<OwnedFd> {
        self.0.take_fd()
    }

    /// Moves the data that the peer sends to another connection, a child, a socket or a file, until
    /// their end.
    ///
    /// If the kernel can splice (`splice(2)`), as between a socket and a pipe, the bytes do not pass
    /// through the program; otherwise they are copied, with the same outcome. The peer is not read while
    /// the target is full, or while this connection is [paused](Self::pause). From this call on the
    /// protocol does not receive the peer's data, but their end is reported.
    ///
    /// When the peer sends no more, the writing direction of the target ends
    /// ([`shutdown_write`](Self::shutdown_write)), and this protocol's
    /// [`read_closed`](crate::Protocol::read_closed) is called. Its default closes the connection, so
    /// override it if bytes also go the other way. If the target is lost, this connection is closed once
    /// all data written to it is flushed. The result is the number of bytes that the target has taken,
    /// even if this program closes the connection.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails
    ///
    /// - if the connection no longer reads, or is forwarded already (`InvalidInput`);
    /// - if the target is not available, or is lost;
    /// - if reading fails: `connection_lost` gets the same reason;
    /// - with `ConnectionAborted`, if the reactor stops before the peer's end.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Protocol, Target, Transport};
    ///
    /// /// Sends the data of its peer to the other connection.
    /// struct Relay {
    ///     other: Transport,
    /// }
    ///
    /// impl Protocol for Relay {
    ///     fn connection_made(&mut self, transport: &Transport) {
    ///         let other = self.other.clone();
    ///         transport.forward(Target::connection(&self.other)).done(move |moved| {
    ///             if moved.is_err() {
    ///                 other.abort_connection(); // its peer must not take this for an orderly end
    ///             }
    ///         });
    ///     }
    ///
    ///     fn read_closed(&mut self, _: &Transport) {} // the other may still answer
    /// }
    /// # use procession::FakeConnection;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {}
    /// # let other = FakeConnection::new(Quiet);
    /// # let relay = FakeConnection::new(Relay { other: other.transport().clone() });
    /// # relay.turn();
    /// ```
    pub fn forward(&self, target: Target) -> Deferred<u64, ForwardError> {
        self.0.forward(target)
    }

    /// Notes that the program closes the output. If a running producer does that, it is done.
    fn on_close(&self) {
        let output = self.0.child_fd();
        if self.0.producers().is_some_and(|producers| producers.running().contains(&output)) {
            self.0.hold_open(false);
        }
    }
}

impl Target {
    /// Creates a target from the peer of a connection.
    ///
    /// Data that were queued for it before are written first. When the source ends, the writing
    /// direction of the connection ends.
    pub fn connection(transport: &Transport) -> Self {
        Self::Port(transport.0.sink_port())
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("peer", &self.peer()).finish_non_exhaustive()
    }
}
