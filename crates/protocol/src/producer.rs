//! Producers: sources of data for a child's descriptor that are paused when its queue is full.
//!
//! [`Producers`] is the registry of one child. It lives in the [`ProtocolSlot`](crate::slot::ProtocolSlot)
//! and hears of marks and losses just before the protocol does, so that every transport has it.
//! A producer is moved out for the length of a call; nothing is borrowed while it runs.

use crate::control::Producers;
use crate::registry::{Call, Refusal, Registry};
use crate::{ChildFd, Event, Pace, Process, Producer};
use bytes::Bytes;
use procession_core::driver::WithCell;
use procession_core::{Mark, WriteError};
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Says why a producer was not registered, and gives it back.
#[derive(thiserror::Error)]
#[error("no producer was registered for child fd {fd}: {kind}")]
pub struct ProducerError {
    fd: ChildFd,
    kind: ProducerErrorKind,
    producer: Box<dyn Producer>,
}

/// Says why a producer was not registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProducerErrorKind {
    /// The descriptor has a producer.
    #[error("it has one")]
    AlreadyRegistered,
    /// The descriptor cannot be written to.
    #[error("{0}")]
    Write(WriteError),
    /// The transport knows no producers.
    #[error("the transport knows no producers")]
    Unsupported,
}

impl ProducerError {
    pub(crate) fn new(fd: ChildFd, kind: ProducerErrorKind, producer: Box<dyn Producer>) -> Self {
        Self { fd, kind, producer }
    }

    /// Returns why.
    pub fn kind(&self) -> ProducerErrorKind {
        self.kind
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
    /// Registers a source of data for `fd` that is paused while its queue is full and resumed when
    /// it is drained. A pull producer is asked for the first time here, and again each time the
    /// queue is empty.
    ///
    /// # Errors
    ///
    /// The descriptor has a producer, or cannot be written to; the error gives the producer back.
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
        // A write of nothing queues nothing, and says whether there is something to write to.
        if let Err(error) = self.0.write(fd, Bytes::new()) {
            return Err(ProducerError::new(fd, ProducerErrorKind::Write(error), producer));
        }
        producers.register(self, fd, pace, producer)
    }

    /// Takes the producer of `fd` away and drops it; tells whether there was one.
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

    /// Writes to a descriptor that may have a producer: one that sets the pace is told at once, if that
    /// fills the queue.
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
        // One that runs cannot be called: the write says it instead.
        if self.registry.with(|registry| registry.is_pushing(fd)) && is_full() {
            return Err(WriteError::BufferFull);
        }
        process.0.write(fd, data)?;
        if self.registry.with(|registry| registry.can_pause(fd)) && is_full() {
            self.call(process, fd, Call::Pause);
        }
        Ok(())
    }

    /// The program closes `fd`, or everything. A producer that runs, and does that itself, is done.
    pub(crate) fn on_close(&self, process: &Process, fd: Option<ChildFd>) {
        for running in self.registry.with(|registry| registry.running()) {
            if fd.is_none_or(|fd| fd == running) {
                process.0.hold_open(running, false);
            }
        }
    }

    /// The child is being terminated: from now on no close waits for a producer. Returns the
    /// descriptors that were held open until now.
    pub fn cut_off(&self) -> Vec<ChildFd> {
        self.registry.with(Registry::cut_off)
    }

    /// Tells the producer of a descriptor what the protocol is about to hear.
    #[inline]
    pub(crate) fn on_event(&self, process: &Process, event: &Event) {
        match *event {
            // Nearly always: it was not full, and nobody waits for it.
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

    /// A queue that is not empty, because its low mark is above 0 or it was written to since, tells
    /// once more when it is.
    fn ask_if_empty(&self, process: &Process, fd: ChildFd) {
        if process.write_buffered(fd) == 0 {
            self.call(process, fd, Call::Ask);
        }
    }

    /// Drops every producer; none is accepted any more.
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
            // It gets no further call, wherever the panic goes.
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
