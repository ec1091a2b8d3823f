//! The boundary between a program and a stream transport: programs use [`Transport`], a handle over the
//! object-safe trait [`TransportControl`], which transports implement.
//!
//! No method calls a protocol: methods queue, and the driver makes the callbacks.
//!
//! [`Producer`] and the declaration of [`Producers`] are here as well, because `TransportControl`
//! returns them and they name `Transport`. The methods of `Transport` are in `transport`.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::hash::{Hash, Hasher};
use std::io;
use std::os::fd::OwnedFd;
use std::ptr;
use std::rc::Rc;

use bytes::Bytes;
use procession_core::driver::WithCell;
use procession_core::{Deferred, WriteError};

use crate::forward::cannot_forward;
use crate::registry::Registry;
use crate::{Address, ChildFd, ForwardError, Pace, Target};

/// The actions on one connection that a stream transport implements and [`Transport`] calls.
///
/// No method calls a protocol: methods queue, and the driver makes the callbacks.
pub trait TransportControl {
    /// Creates a handle over this transport.
    fn into_transport(self: Rc<Self>) -> Transport
    where
        Self: Sized + 'static,
    {
        Transport::from_control(self)
    }

    /// Queues data; flushed when the callback returns to the loop.
    ///
    /// # Errors
    ///
    /// Nothing is queued if the connection is closed, cannot be written to, or its queue is full.
    fn write(&self, data: Bytes) -> Result<(), WriteError>;

    /// Returns the number of bytes in the queue.
    fn write_buffered(&self) -> usize;

    /// Sets the limits, in bytes, at which the queue counts as full and as drained.
    ///
    /// # Errors
    ///
    /// The connection is closed or cannot be written to.
    fn set_write_limits(&self, high: usize, low: usize) -> Result<(), WriteError>;

    /// Returns the limits, in bytes, of the queue, the high one first; `None` if there is no queue.
    fn write_limits(&self) -> Option<(usize, usize)>;

    /// Sets the number of bytes above which a write is refused; `None` removes the limit.
    ///
    /// # Errors
    ///
    /// The connection is closed or cannot be written to.
    fn set_write_hard_limit(&self, max: Option<usize>) -> Result<(), WriteError>;

    /// Closes the connection once the queue is flushed.
    fn lose_connection(&self);

    /// Drops the queue and closes the connection.
    fn abort_connection(&self);

    /// Ends the writing direction once the queue is flushed.
    fn shutdown_write(&self);

    /// Sets whether the output is held open for a producer that writes to it. A close, or an end of the
    /// writing direction, that is requested before or after takes place once the output is no longer
    /// held. Until then the peer's data are still received. An abort does not wait.
    fn hold_open(&self, held: bool) {
        let _ = held;
    }

    /// Returns the registry of producers in the transport's slot:
    /// [`ConnectionSlot::producers`](crate::driver::ConnectionSlot::producers).
    fn producers(&self) -> Option<&Producers> {
        None
    }

    /// Returns the descriptor of the child that this transport stands for; `None` for a connection.
    #[doc(hidden)]
    fn child_fd(&self) -> Option<ChildFd> {
        None
    }

    /// Stops reading.
    fn pause(&self);

    /// Reads again.
    fn resume(&self);

    /// Returns the other side's address.
    fn peer(&self) -> Address;

    /// Returns this side's address.
    fn host(&self) -> Address;

    /// Takes the descriptor out of the loop and makes it blocking again; the protocol is dropped.
    ///
    /// # Errors
    ///
    /// `Unsupported` if there is no single descriptor, `NotConnected` once the connection is closed;
    /// else the error of the kernel.
    fn take_fd(&self) -> io::Result<OwnedFd> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "the connection has no descriptor"))
    }

    /// Moves the data that the peer sends to `target`, until their end.
    fn forward(&self, target: Target) -> Deferred<u64, ForwardError> {
        drop(target);
        Deferred::ready(Err(ForwardError::new(0, cannot_forward())))
    }

    /// Returns the writing side as the sink of a forwarding from any transport: a boxed port, whose
    /// type the transports of one loop agree on. `None` if it cannot be a sink.
    #[doc(hidden)]
    fn sink_port(&self) -> Option<Box<dyn Any>> {
        None
    }
}

/// A handle to one connection, cheap to clone.
///
/// It has the verbs of a [`Process`](crate::Process). There, a verb that concerns one of several
/// descriptors takes the descriptor as its first argument. A [`Producer`] of a child gets a handle as
/// well: it stands for one descriptor of the child.
///
/// Every method may be called in every callback, and at any other time on the loop's thread; no method
/// calls the protocol. Dropping a handle does nothing. Once the connection is gone, writes return
/// [`WriteError::Closed`], and the other methods have no effect.
#[derive(Clone)]
#[doc(alias = "ITransport")]
pub struct Transport(pub(crate) Rc<dyn TransportControl>);

/// Handles are equal if they act on the same connection.
impl PartialEq for Transport {
    fn eq(&self, other: &Self) -> bool {
        ptr::addr_eq(Rc::as_ptr(&self.0), Rc::as_ptr(&other.0))
    }
}

impl Eq for Transport {}

impl Hash for Transport {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Rc::as_ptr(&self.0).cast::<()>().hash(state);
    }
}

/// A source of data that writes as fast as the other side reads: to a descriptor of a child, or to a
/// connection.
///
/// Its methods get a handle to the output that it writes to, and may call every method of the handle. If
/// the output is a descriptor of a child, [`lose_connection`](Transport::lose_connection) and
/// [`shutdown_write`](Transport::shutdown_write) act on this descriptor only, as
/// [`Process::close_child_fd`](crate::Process::close_child_fd) and
/// [`Process::shutdown_write`](crate::Process::shutdown_write) do. A panic in a method counts as a panic
/// of the protocol.
///
/// A close of the output waits until its producer is done: until the producer is
/// [unregistered](Transport::unregister_producer), or closes the output itself in one of its methods.
/// Meanwhile, the data of the other side are still received. An abort, a loss, a
/// [`terminate`](crate::Process::terminate) and the stop of the reactor do not wait for producers.
///
/// # Examples
///
/// ```
/// use procession::{FakeConnection, Pace, Producer, Protocol, Transport};
///
/// /// Counts down as fast as the other side reads.
/// struct CountDown(u32);
///
/// impl Producer for CountDown {
///     fn resume(&mut self, transport: &Transport) {
///         if self.0 == 0 {
///             return transport.lose_connection();
///         }
///         transport.write(format!("{}\n", self.0));
///         self.0 -= 1;
///     }
/// }
/// # struct Quiet;
/// # impl Protocol for Quiet {}
///
/// let fake = FakeConnection::new(Quiet);
/// fake.transport().register_producer(Pace::Pull, CountDown(3))?;
/// assert_eq!(fake.written(), "3\n2\n1\n");
/// assert!(fake.is_closed());
/// # Ok::<(), procession::ProducerError>(())
/// ```
#[doc(alias = "IPushProducer")]
#[doc(alias = "IPullProducer")]
pub trait Producer {
    /// Produces data. Called for a push producer when the queue was drained after a pause. Called for a
    /// pull producer when it is registered, and each time the queue is empty, whatever the queue's
    /// limits are; it should then write.
    #[doc(alias = "resumeProducing")]
    fn resume(&mut self, transport: &Transport);

    /// Pauses, because the queue is full. Called inside the write that fills the queue, whoever writes;
    /// but not inside this producer's own methods. There, the next write to the full queue fails with
    /// [`BufferFull`](WriteError::BufferFull) and queues nothing, and this call comes afterwards. Not
    /// called for pull producers. The default does nothing.
    #[doc(alias = "pauseProducing")]
    fn pause(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Returns the pace at which this producer works, for the one that it is registered with. The
    /// default returns the latter. A producer that can only pull returns [`Pace::Pull`].
    fn pace(&self, registered: Pace) -> Pace {
        registered
    }

    /// Ends, because the output is lost. Called at most once, last; then the producer is dropped. If the
    /// program closes the output, it is lost only after its producer is done.
    #[doc(alias = "stopProducing")]
    fn stop(&mut self, transport: &Transport) {
        let _ = transport;
    }
}

/// The producers of one child, or of one connection, which a transport's slot holds.
pub struct Producers {
    /// Made when it is needed: few children have a producer or a full queue.
    pub(crate) registry: OnceCell<Box<WithCell<Registry<Registered>>>>,
    /// The protocol is gone: no producer is accepted.
    pub(crate) retired: Cell<bool>,
    /// There may be a producer, so writes must check for one.
    pub(crate) any: Cell<bool>,
    /// There may be a producer or a full queue, so the registry must get marks and losses.
    pub(crate) listens: Cell<bool>,
}

/// A registered producer. Drop it while nothing is borrowed.
pub(crate) struct Registered {
    pub(crate) producer: Box<dyn Producer>,
    /// The output that it writes to. The handle and its registry own each other, until the producer is
    /// done or the slot drops it.
    pub(crate) transport: Transport,
}
