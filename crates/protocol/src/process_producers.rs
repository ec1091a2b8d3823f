//! The producers of a child, and [`ChildOutput`]: the transport that stands for one descriptor of it.

use std::any::Any;
use std::rc::Rc;

use bytes::Bytes;
use procession_core::{Deferred, WriteError};

use crate::transport_control::{Producers, TransportControl};
use crate::{
    Address, ChildFd, ForwardError, Pace, Process, Producer, ProducerError, Target, Transport,
};

/// Producers.
impl Process {
    /// Registers a source of data for `fd`. It is paused while the queue is full, and resumed when the
    /// queue is drained. This call asks a pull producer for its first data; later it is asked each time
    /// the queue is empty.
    ///
    /// # Errors
    ///
    /// The descriptor already has a producer, or cannot be written to. The error gives the producer
    /// back.
    #[doc(alias = "registerProducer")]
    pub fn register_producer(
        &self,
        fd: impl Into<ChildFd>,
        pace: Pace,
        producer: impl Producer + 'static,
    ) -> Result<(), ProducerError> {
        self.transport(fd).register_producer(pace, producer)
    }

    /// Drops the producer of `fd`, and returns whether there was one.
    #[doc(alias = "unregisterProducer")]
    pub fn unregister_producer(&self, fd: impl Into<ChildFd>) -> bool {
        let output = ChildOutput::new(self, fd.into());
        self.0.producers().is_some_and(|producers| producers.unregister(&output))
    }

    /// Returns a handle that stands for `fd`: the one that its producer gets. A push producer writes to it
    /// before it is paused for the first time.
    ///
    /// Each verb acts on `fd` only: [`lose_connection`](Transport::lose_connection) is
    /// [`close_child_fd`](Self::close_child_fd). For an unknown descriptor, writes fail with
    /// [`UnknownFd`](WriteError::UnknownFd). Each call returns another handle, so no two of them are equal.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{FakeProcess, ProcessProtocol};
    ///
    /// struct Quiet;
    /// impl ProcessProtocol for Quiet {}
    ///
    /// let fake = FakeProcess::new(Quiet);
    /// let stdin = fake.process().transport(0);
    /// stdin.write("hello\n");
    /// stdin.lose_connection();
    /// assert_eq!(fake.written(0), "hello\n");
    /// assert!(fake.is_closed(0));
    /// ```
    pub fn transport(&self, fd: impl Into<ChildFd>) -> Transport {
        Transport::from_control(Rc::new(ChildOutput::new(self, fd.into())))
    }
}

/// A descriptor of a child as the transport of its producer.
pub(crate) struct ChildOutput {
    process: Process,
    fd: ChildFd,
}

impl ChildOutput {
    pub(crate) fn new(process: &Process, fd: ChildFd) -> Self {
        Self { process: process.clone(), fd }
    }
}

impl TransportControl for ChildOutput {
    fn write(&self, data: Bytes) -> Result<(), WriteError> {
        self.process.0.write(self.fd, data)
    }

    fn write_buffered(&self) -> usize {
        self.process.0.write_buffered(self.fd)
    }

    fn set_write_limits(&self, high: usize, low: usize) -> Result<(), WriteError> {
        self.process.0.set_write_limits(self.fd, high, low)
    }

    fn write_limits(&self) -> Option<(usize, usize)> {
        self.process.0.write_limits(self.fd)
    }

    fn set_write_hard_limit(&self, max: Option<usize>) -> Result<(), WriteError> {
        self.process.0.set_write_hard_limit(self.fd, max)
    }

    fn lose_connection(&self) {
        self.process.0.close_child_fd(self.fd);
    }

    fn abort_connection(&self) {
        self.process.0.abort_connection(self.fd);
    }

    fn shutdown_write(&self) {
        self.process.0.shutdown_write(self.fd);
    }

    fn hold_open(&self, held: bool) {
        self.process.0.hold_open(self.fd, held);
    }

    fn producers(&self) -> Option<&Producers> {
        self.process.0.producers()
    }

    fn child_fd(&self) -> Option<ChildFd> {
        Some(self.fd)
    }

    fn pause(&self) {
        self.process.0.pause(self.fd);
    }

    fn resume(&self) {
        self.process.0.resume(self.fd);
    }

    fn peer(&self) -> Address {
        Address::Other
    }

    fn host(&self) -> Address {
        Address::Other
    }

    fn forward(&self, target: Target) -> Deferred<u64, ForwardError> {
        self.process.0.forward(self.fd, target)
    }

    fn sink_port(&self) -> Option<Box<dyn Any>> {
        self.process.0.sink_port(self.fd)
    }
}
