//! Producers: sources of data that are paused when the queue of their output is full.
//!
//! [`Producers`] is the registry of one child, or of one connection. The slot of the protocol holds it and
//! passes it marks and losses just before the protocol gets them, so every transport supports producers.
//! A producer is moved out during a call; nothing is borrowed while it runs.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bytes::Bytes;
use procession_core::driver::WithCell;
use procession_core::{Mark, WriteError};

use crate::registry::{Call, Output, Registry};
use crate::transport_control::{Producers, Registered, TransportControl};
use crate::{ChildFd, Pace, Producer, Transport};

/// The error of registering a producer; it gives the producer back.
#[derive(thiserror::Error)]
#[error("no producer was registered for {}: {kind}", Named(*.output))]
pub struct ProducerError {
    output: Output,
    kind: ProducerErrorKind,
    producer: Box<dyn Producer>,
}

/// The reason why a producer was not registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProducerErrorKind {
    /// The descriptor, or the connection, already has a producer.
    #[error("it has one")]
    AlreadyRegistered,
    /// The descriptor, or the connection, cannot be written to.
    #[error("{0}")]
    Write(WriteError),
    /// The transport does not support producers.
    #[error("the transport knows no producers")]
    Unsupported,
}

impl ProducerErrorKind {
    /// Returns the kind of this reason as an [`io::Error`].
    pub fn kind(self) -> io::ErrorKind {
        match self {
            Self::AlreadyRegistered => io::ErrorKind::AlreadyExists,
            Self::Write(error) => error.kind(),
            Self::Unsupported => io::ErrorKind::Unsupported,
        }
    }
}

/// Keeps the kind and the error.
impl From<ProducerErrorKind> for io::Error {
    fn from(kind: ProducerErrorKind) -> Self {
        Self::new(kind.kind(), kind)
    }
}

/// Keeps the kind and the message. The producer is dropped.
impl From<ProducerError> for io::Error {
    fn from(error: ProducerError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

impl ProducerError {
    /// Returns the reason.
    pub fn reason(&self) -> ProducerErrorKind {
        self.kind
    }

    /// Returns the kind of the reason as an [`io::Error`].
    pub fn kind(&self) -> io::ErrorKind {
        self.kind.kind()
    }

    /// Returns the producer.
    pub fn into_producer(self) -> Box<dyn Producer> {
        self.producer
    }
}

impl fmt::Debug for ProducerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerError")
            .field("fd", &self.output)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// The name of an output in an error.
struct Named(Output);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(fd) => write!(f, "child fd {fd}"),
            None => f.write_str("the connection"),
        }
    }
}

impl Producers {
    /// Returns whether the descriptor `fd` of a child has a producer.
    pub fn has(&self, fd: ChildFd) -> bool {
        self.is_any() && self.registry(|registry| registry.has(Some(fd)))
    }

    /// Makes the registry if there is none, and calls with it.
    fn registry<R>(&self, call: impl FnOnce(&mut Registry<Registered>) -> R) -> R {
        self.registry.get_or_init(|| Box::new(WithCell::new(Registry::new()))).with(call)
    }

    pub(crate) fn new() -> Self {
        Self {
            registry: OnceCell::new(),
            retired: Cell::new(false),
            any: Cell::new(false),
            listens: Cell::new(false),
        }
    }

    /// Registers a producer for an output, and calls it if a call is due.
    pub(crate) fn register(
        transport: &Transport,
        pace: Pace,
        producer: Box<dyn Producer>,
    ) -> Result<(), ProducerError> {
        let output = transport.0.child_fd();
        let Some(this) = transport.0.producers() else {
            return Err(ProducerError { output, kind: ProducerErrorKind::Unsupported, producer });
        };
        // A write of no bytes queues nothing, and fails if the output cannot be written to.
        if let Err(error) = transport.0.write(Bytes::new()) {
            return Err(ProducerError { output, kind: ProducerErrorKind::Write(error), producer });
        }
        let pace = producer.pace(pace);
        let new = Registered { producer, transport: transport.clone() };
        let refused =
            |new: Registered, kind| ProducerError { output, kind, producer: new.producer };
        if this.retired.get() {
            return Err(refused(new, ProducerErrorKind::Write(WriteError::Closed)));
        }
        let registered = this.registry(|registry| registry.register(output, pace, new));
        let due = registered.map_err(|new| refused(new, ProducerErrorKind::AlreadyRegistered))?;
        this.any.set(true);
        this.listens.set(true);
        if this.registry(|registry| registry.holds_open()) {
            transport.0.hold_open(true);
        }
        if let Some(call) = due {
            this.call(output, call);
        }
        Ok(())
    }

    /// Drops the producer of an output, and returns whether there was one.
    pub(crate) fn unregister(&self, control: &dyn TransportControl) -> bool {
        if !self.is_any() {
            return false;
        }
        let entry = self.registry(|registry| registry.unregister(control.child_fd()));
        if entry.is_some() {
            control.hold_open(false);
        }
        entry.is_some()
    }

    /// Returns whether there may be a producer.
    #[inline]
    pub(crate) fn is_any(&self) -> bool {
        self.any.get()
    }

    /// Returns the outputs whose producer is running.
    pub(crate) fn running(&self) -> Vec<Output> {
        if self.any.get() { self.registry(|registry| registry.running()) } else { Vec::new() }
    }

    /// Writes to an output that may have a producer. If the write fills the queue, it pauses a push
    /// producer at once.
    #[cold]
    #[inline(never)]
    pub(crate) fn write(
        &self,
        control: &dyn TransportControl,
        data: Bytes,
    ) -> Result<(), WriteError> {
        let output = control.child_fd();
        let is_full = || {
            let high = control.write_limits().map(|(high, _)| high);
            high.is_some_and(|high| control.write_buffered() > high)
        };
        // A running producer cannot be called, so its write fails instead.
        if self.registry(|registry| registry.is_pushing(output)) && is_full() {
            return Err(WriteError::BufferFull);
        }
        control.write(data)?;
        if self.registry(|registry| registry.can_pause(output)) && is_full() {
            self.call(output, Call::Pause);
        }
        Ok(())
    }

    /// Notes that the child is being terminated: from now on no close waits for a producer. Returns the
    /// descriptors that were held open until now.
    pub fn cut_off(&self) -> Vec<ChildFd> {
        self.registry(Registry::cut_off).into_iter().flatten().collect()
    }

    /// Passes a mark to the producer of an output, before the protocol gets it.
    #[inline]
    pub(crate) fn on_mark(&self, output: Output, mark: Mark) {
        // The usual case: the queue was not full, and it has no producer.
        if self.listens.get() || mark == Mark::Full {
            self.take_mark(output, mark);
        }
    }

    #[cold]
    fn take_mark(&self, output: Output, mark: Mark) {
        match mark {
            Mark::Full => {
                self.registry(|registry| registry.on_full(output));
                self.listens.set(true);
                self.call(output, Call::Pause);
            }
            Mark::Drained => {
                let is_idle = self.registry(|registry| {
                    registry.on_drained(output);
                    registry.is_idle()
                });
                self.listens.set(!is_idle);
                self.call(output, Call::Resume);
                self.call(output, Call::Refill);
            }
            Mark::Emptied => self.call(output, Call::Refill),
            // A mark of a later version concerns no producer.
            _ => {}
        }
    }

    /// Stops the producer of an output that is lost, before the protocol gets the loss.
    #[inline]
    pub(crate) fn on_lost(&self, output: Output) {
        if self.listens.get() {
            self.call(output, Call::Stop);
        }
    }

    /// Drops every producer, and accepts no more.
    pub(crate) fn retire(&self) {
        self.retired.set(true);
        let entries = self.is_any().then(|| self.registry(Registry::retire));
        drop(entries);
    }

    fn call(&self, output: Output, call: Call) {
        let Some((id, mut lent)) = self.registry(|registry| registry.lend(output, call)) else {
            return;
        };
        let called = catch_unwind(AssertUnwindSafe(|| lent.call(call)));
        if let Err(panic) = called {
            // The producer gets no further call, even if the panic is caught.
            if self.registry(|registry| registry.forget(output, id)) {
                lent.transport.0.hold_open(false);
            }
            resume_unwind(panic);
        }
        let unregistered = self.registry(|registry| registry.give_back(output, id, lent));
        drop(unregistered);
    }
}

impl Registered {
    fn call(&mut self, call: Call) {
        let Self { producer, transport } = self;
        match call {
            // A queue may be drained but not empty, because its low mark is above 0 or it was written to
            // since; then another mark follows when it is empty.
            Call::Refill if transport.write_buffered() > 0 => {}
            Call::Resume | Call::Ask | Call::Refill => producer.resume(transport),
            Call::Pause => producer.pause(transport),
            Call::Stop => producer.stop(transport),
        }
    }
}

impl fmt::Debug for Producers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outputs =
            if self.is_any() { self.registry(|registry| registry.outputs()) } else { Vec::new() };
        f.debug_tuple("Producers").field(&outputs).finish()
    }
}
