//! Producers: sources of data for a child's descriptor that are paused when its queue is full.
//!
//! [`Producers`] is the registry of one child. The [`ProtocolSlot`](crate::slot::ProtocolSlot) holds it and
//! passes it marks and losses just before the protocol gets them, so every transport supports producers.
//! A producer is moved out during a call; nothing is borrowed while it runs.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bytes::Bytes;
use procession_core::driver::WithCell;
use procession_core::{Mark, WriteError};

use crate::control::Producers;
use crate::registry::{Call, Refusal, Registry};
use crate::{ChildFd, Event, Pace, Process, Producer};

/// The error of registering a producer; it gives the producer back.
#[derive(thiserror::Error)]
#[error("no producer was registered for child fd {fd}: {kind}")]
pub struct ProducerError {
    fd: ChildFd,
    kind: ProducerErrorKind,
    producer: Box<dyn Producer>,
}

/// The reason why a producer was not registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProducerErrorKind {
    /// The descriptor already has a producer.
    #[error("it has one")]
    AlreadyRegistered,
    /// The descriptor cannot be written to.
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
    pub(crate) fn new(fd: ChildFd, kind: ProducerErrorKind, producer: Box<dyn Producer>) -> Self {
        Self { fd, kind, producer }
    }

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
            .field("fd", &self.fd)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

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
        let (fd, producer) = (fd.into(), Box::new(producer));
        let Some(producers) = self.0.producers() else {
            return Err(ProducerError::new(fd, ProducerErrorKind::Unsupported, producer));
        };
        // A write of no bytes queues nothing, and fails if the descriptor cannot be written to.
        if let Err(error) = self.0.write(fd, Bytes::new()) {
            return Err(ProducerError::new(fd, ProducerErrorKind::Write(error), producer));
        }
        producers.register(self, fd, pace, producer)
    }

    /// Drops the producer of `fd`, and returns whether there was one.
    #[doc(alias = "unregisterProducer")]
    pub fn unregister_producer(&self, fd: impl Into<ChildFd>) -> bool {
        self.0.producers().is_some_and(|producers| producers.unregister(self, fd.into()))
    }
}

impl Producers {
    /// Returns whether `fd` has a producer.
    pub fn has(&self, fd: ChildFd) -> bool {
        self.registry.with(|registry| registry.has(fd))
    }

    pub(crate) fn new() -> Self {
        Self { registry: WithCell::new(Registry::new()), any: Cell::new(false) }
    }

    pub(crate) fn register(
        &self,
        process: &Process,
        fd: ChildFd,
        pace: Pace,
        producer: Box<dyn Producer>,
    ) -> Result<(), ProducerError> {
        let registered = self.registry.with(|registry| registry.register(fd, pace, producer));
        let due = registered.map_err(|(refusal, producer)| {
            let kind = match refusal {
                Refusal::Retired => ProducerErrorKind::Write(WriteError::Closed),
                Refusal::AlreadyRegistered => ProducerErrorKind::AlreadyRegistered,
            };
            ProducerError { fd, kind, producer }
        })?;
        self.any.set(true);
        if self.registry.with(|registry| registry.holds_open()) {
            process.0.hold_open(fd, true);
        }
        if let Some(call) = due {
            self.call(process, fd, call);
        }
        Ok(())
    }

    pub(crate) fn unregister(&self, process: &Process, fd: ChildFd) -> bool {
        let entry = self.registry.with(|registry| registry.unregister(fd));
        if entry.is_some() {
            process.0.hold_open(fd, false);
        }
        entry.is_some()
    }

    /// Returns whether there may be a producer.
    #[inline]
    pub(crate) fn is_any(&self) -> bool {
        self.any.get()
    }

    /// Writes to a descriptor that may have a producer. If the write fills the queue, it pauses a push
    /// producer at once.
    #[cold]
    pub(crate) fn write(
        &self,
        process: &Process,
        fd: ChildFd,
        data: Bytes,
    ) -> Result<(), WriteError> {
        let is_full = || {
            let high = process.write_limits(fd).map(|(high, _)| high);
            high.is_some_and(|high| process.write_buffered(fd) > high)
        };
        // A running producer cannot be called, so its write fails instead.
        if self.registry.with(|registry| registry.is_pushing(fd)) && is_full() {
            return Err(WriteError::BufferFull);
        }
        process.0.write(fd, data)?;
        if self.registry.with(|registry| registry.can_pause(fd)) && is_full() {
            self.call(process, fd, Call::Pause);
        }
        Ok(())
    }

    /// Notes that the program closes `fd`, or every descriptor. If a running producer does that, it is
    /// done.
    pub(crate) fn on_close(&self, process: &Process, fd: Option<ChildFd>) {
        for running in self.registry.with(|registry| registry.running()) {
            if fd.is_none_or(|fd| fd == running) {
                process.0.hold_open(running, false);
            }
        }
    }

    /// Notes that the child is being terminated: from now on no close waits for a producer. Returns the
    /// descriptors that were held open until now.
    pub fn cut_off(&self) -> Vec<ChildFd> {
        self.registry.with(Registry::cut_off)
    }

    /// Passes an event to the producer of its descriptor, before the protocol gets it.
    #[inline]
    pub(crate) fn on_event(&self, process: &Process, event: &Event) {
        match *event {
            // The usual case: the queue was not full, and it has no producer.
            Event::Mark(_, Mark::Drained | Mark::Emptied)
                if self.registry.with(|registry| registry.is_idle()) => {}
            Event::Mark(..) | Event::Lost(_) => self.on_change(process, event),
            _ => {}
        }
    }

    fn on_change(&self, process: &Process, event: &Event) {
        match *event {
            Event::Mark(fd, Mark::Full) => {
                self.registry.with(|registry| registry.on_full(fd));
                self.call(process, fd, Call::Pause);
            }
            Event::Mark(fd, Mark::Drained) => {
                self.registry.with(|registry| registry.on_drained(fd));
                self.call(process, fd, Call::Resume);
                self.ask_if_empty(process, fd);
            }
            Event::Mark(fd, Mark::Emptied) => self.ask_if_empty(process, fd),
            Event::Lost(fd) => self.call(process, fd, Call::Stop),
            _ => {}
        }
    }

    /// Asks the pull producer of `fd` for data, if the queue is empty. A queue may be drained but not
    /// empty, because its low mark is above 0 or it was written to since; then another mark follows
    /// when it is empty.
    fn ask_if_empty(&self, process: &Process, fd: ChildFd) {
        if process.write_buffered(fd) == 0 {
            self.call(process, fd, Call::Ask);
        }
    }

    /// Drops every producer, and accepts no more.
    pub(crate) fn retire(&self) {
        let entries = self.registry.with(Registry::retire);
        drop(entries);
    }

    fn call(&self, process: &Process, fd: ChildFd, call: Call) {
        let Some((id, mut producer)) = self.registry.with(|registry| registry.lend(fd, call))
        else {
            return;
        };
        let called = catch_unwind(AssertUnwindSafe(|| match call {
            Call::Resume | Call::Ask => producer.resume(process, fd),
            Call::Pause => producer.pause(process, fd),
            Call::Stop => producer.stop(process, fd),
        }));
        if let Err(panic) = called {
            // The producer gets no further call, even if the panic is caught.
            if self.registry.with(|registry| registry.forget(fd, id)) {
                process.0.hold_open(fd, false);
            }
            resume_unwind(panic);
        }
        let unregistered = self.registry.with(|registry| registry.give_back(fd, id, producer));
        drop(unregistered);
    }
}

impl fmt::Debug for Producers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fds = self.registry.with(|registry| registry.fds());
        f.debug_tuple("Producers").field(&fds).finish()
    }
}
