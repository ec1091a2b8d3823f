//! Producers: sources of data for a child's descriptor that are paused when its queue is full.
//!
//! [`Producers`] is the registry of one child. It lives in the [`ProtocolSlot`](crate::ProtocolSlot)
//! and hears of marks and losses just before the protocol does, so that every transport has it.
//! A producer is moved out for the length of a call; nothing is borrowed while it runs.

use crate::{ChildFd, Event, Process};
use procession_core::{Mark, WithCell, WriteError};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Writes to a descriptor of a child as fast as the child reads.
///
/// Every method of [`Process`] may be called in every method. A panic counts as the protocol's.
#[doc(alias = "IPushProducer")]
#[doc(alias = "IPullProducer")]
pub trait Producer {
    /// Goes on. A push producer hears it when the queue was drained after it had been paused; a
    /// pull producer when it is registered and each time the queue is empty, whatever the limits of
    /// the queue are, and is to write.
    #[doc(alias = "resumeProducing")]
    fn resume(&mut self, process: &Process, fd: ChildFd);

    /// Pauses: the queue is full. Not called for pull producers; by default nothing happens.
    #[doc(alias = "pauseProducing")]
    fn pause(&mut self, process: &Process, fd: ChildFd) {
        let (_, _) = (process, fd);
    }

    /// Ends: the descriptor is lost. Called at most once, last; the producer is dropped then.
    #[doc(alias = "stopProducing")]
    fn stop(&mut self, process: &Process, fd: ChildFd) {
        let (_, _) = (process, fd);
    }
}

/// Says who sets the pace of a [`Producer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pace {
    /// The producer does, and pauses when it is told to.
    Push,
    /// The queue does: the producer writes when it is asked, for the next time once what it wrote
    /// is gone.
    Pull,
}

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

/// Keeps the producers of one child: what a transport hands out from its slot.
pub struct Producers(WithCell<State>);

#[derive(Default)]
struct State {
    entries: BTreeMap<ChildFd, Entry>,
    /// The descriptors whose queue is full.
    full: Vec<ChildFd>,
    /// Counts registrations, to tell a producer from one that replaced it while it ran.
    next: u64,
    /// The protocol is gone.
    retired: bool,
}

struct Entry {
    id: u64,
    pace: Pace,
    paused: bool,
    /// `None` while it runs.
    producer: Option<Box<dyn Producer>>,
}

#[derive(Clone, Copy)]
enum Call {
    /// To push producers: the queue was drained.
    Resume,
    /// To pull producers: the queue is empty.
    Ask,
    Pause,
    Stop,
}

impl Producers {
    pub(crate) fn new() -> Self {
        Self(WithCell::new(State::default()))
    }

    pub(crate) fn register(
        &self,
        process: &Process,
        fd: ChildFd,
        pace: Pace,
        producer: Box<dyn Producer>,
    ) -> Result<(), ProducerError> {
        let mut producer = Some(producer);
        let (refused, is_full) = self.0.with(|state| {
            if state.retired {
                return (Some(ProducerErrorKind::Write(WriteError::Closed)), false);
            }
            if state.entries.contains_key(&fd) {
                return (Some(ProducerErrorKind::AlreadyRegistered), false);
            }
            state.next += 1;
            let entry = Entry { id: state.next, pace, paused: false, producer: producer.take() };
            state.entries.insert(fd, entry);
            (None, state.full.contains(&fd))
        });
        if let (Some(kind), Some(producer)) = (refused, producer) {
            return Err(ProducerError { fd, kind, producer });
        }
        match pace {
            Pace::Push if is_full => self.call(process, fd, Call::Pause),
            Pace::Pull if !is_full => self.call(process, fd, Call::Ask),
            Pace::Push | Pace::Pull => {}
        }
        Ok(())
    }

    pub(crate) fn unregister(&self, fd: ChildFd) -> bool {
        let entry = self.0.with(|state| state.entries.remove(&fd));
        entry.is_some()
    }

    /// Tells the producer of a descriptor what the protocol is about to hear.
    #[inline]
    pub(crate) fn on_event(&self, process: &Process, event: &Event) {
        match *event {
            // Nearly always: it was not full, and nobody waits for it.
            Event::Mark(_, Mark::Drained | Mark::Emptied)
                if self.0.with(|state| state.is_idle()) => {}
            Event::Mark(..) | Event::Lost(_) => self.on_change(process, event),
            _ => {}
        }
    }

    fn on_change(&self, process: &Process, event: &Event) {
        match *event {
            Event::Mark(fd, Mark::Full) => {
                self.0.with(|state| state.full.push(fd));
                self.call(process, fd, Call::Pause);
            }
            Event::Mark(fd, Mark::Drained) => {
                self.0.with(|state| state.full.retain(|full| *full != fd));
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
        let entries = self.0.with(|state| {
            state.retired = true;
            std::mem::take(&mut state.entries)
        });
        drop(entries);
    }

    fn call(&self, process: &Process, fd: ChildFd, call: Call) {
        let Some((id, mut producer)) = self.0.with(|state| state.lend(fd, call)) else { return };
        let called = catch_unwind(AssertUnwindSafe(|| match call {
            Call::Resume | Call::Ask => producer.resume(process, fd),
            Call::Pause => producer.pause(process, fd),
            Call::Stop => producer.stop(process, fd),
        }));
        if let Err(panic) = called {
            // It gets no further call, wherever the panic goes.
            self.0.with(|state| {
                if state.entries.get(&fd).is_some_and(|entry| entry.id == id) {
                    state.entries.remove(&fd);
                }
            });
            resume_unwind(panic);
        }
        let unregistered = self.0.with(|state| match state.entries.get_mut(&fd) {
            Some(entry) if entry.id == id => {
                entry.producer = Some(producer);
                None
            }
            _ => Some(producer),
        });
        drop(unregistered);
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.entries.is_empty() && self.full.is_empty()
    }

    /// Moves the producer out, if it is to hear of this.
    fn lend(&mut self, fd: ChildFd, call: Call) -> Option<(u64, Box<dyn Producer>)> {
        let entry = self.entries.get_mut(&fd)?;
        let is_due = match (call, entry.pace) {
            (Call::Ask, Pace::Pull) | (Call::Stop, _) => true,
            (Call::Resume, Pace::Push) => entry.paused,
            (Call::Pause, Pace::Push) => !entry.paused,
            (Call::Resume | Call::Pause, Pace::Pull) | (Call::Ask, Pace::Push) => false,
        };
        if !is_due {
            return None;
        }
        entry.paused = matches!(call, Call::Pause);
        let lent = entry.producer.take().map(|producer| (entry.id, producer));
        if matches!(call, Call::Stop) {
            self.entries.remove(&fd);
        }
        lent
    }
}

impl fmt::Debug for Producers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fds = self.0.with(|state| state.entries.keys().copied().collect::<Vec<_>>());
        f.debug_tuple("Producers").field(&fds).finish()
    }
}
