//! [`ProtocolSlot`]: holds the protocol of a transport.
//!
//! The protocol is moved out during a callback, so nothing is borrowed while it runs, and moved back
//! when the callback returns. It is dropped after `process_ended`, and after a panic. Its producers get
//! each event just before it does, and are dropped after it.

use std::cell::Cell;
use std::fmt;
use std::panic::resume_unwind;
use std::thread;

use bytes::Bytes;
use procession_core::driver::FirstPanic;
use procession_core::{Deferred, Mark, NoError, Promise};

use crate::kept::{DropAfter, ProtocolHolder, drop_caught, first_panic};
use crate::transport_control::Producers;
use crate::{ChildFd, Event, ExitReason, Process, ProcessProtocol};

/// Holds a protocol and calls it.
///
/// # Examples
///
/// ```
/// use procession::{Event, FakeProcess, ProcessProtocol};
/// use procession::driver::protocol::ProtocolSlot;
///
/// struct Quiet;
/// impl ProcessProtocol for Quiet {}
///
/// let fake = FakeProcess::new(Quiet);
/// let slot = ProtocolSlot::new(Box::new(Quiet));
/// slot.deliver(fake.process(), Event::Made);
/// assert!(!slot.is_gone());
/// ```
pub struct ProtocolSlot {
    protocol: ProtocolHolder<dyn ProcessProtocol>,
    producers: Producers,
    /// The callers that wait for the end. Boxed, because few children have any.
    waiting: Cell<Option<Box<EndWaiters>>>,
}

/// The results of `ended`, which complete after the protocol had `process_ended`.
#[derive(Default)]
struct EndWaiters {
    promises: Vec<Promise<ExitReason, NoError>>,
    /// Set just before the protocol gets `process_ended`.
    reason: Option<ExitReason>,
}

impl ProtocolSlot {
    /// Creates a slot that holds `protocol`.
    pub fn new(protocol: Box<dyn ProcessProtocol>) -> Self {
        Self {
            protocol: ProtocolHolder::new(protocol),
            producers: Producers::new(),
            waiting: Cell::default(),
        }
    }

    /// Calls the protocol's method for `event`.
    ///
    /// Does nothing once the protocol is gone, or while a callback is running: drivers must queue.
    ///
    /// # Panics
    ///
    /// Resumes a panic of the protocol, after the protocol is dropped.
    pub fn deliver(&self, process: &Process, event: Event) {
        if let Err(panic) = self.try_deliver(process, event) {
            resume_unwind(panic);
        }
    }

    /// Does the same as [`deliver`](Self::deliver), but returns a panic. The driver first brings its own
    /// state in order, then resumes the panic.
    ///
    /// # Errors
    ///
    /// The payload of the panic; the protocol is dropped.
    pub fn try_deliver(&self, process: &Process, event: Event) -> thread::Result<()> {
        let last = if let Event::Ended(reason) = &event {
            self.note_end(reason);
            DropAfter::Yes
        } else {
            DropAfter::No
        };
        self.protocol.try_call(
            last,
            |protocol| {
                match event {
                    Event::Mark(fd, mark) => {
                        self.producers.on_mark(Some(fd), mark);
                        if mark == Mark::Emptied {
                            return; // only producers get it
                        }
                    }
                    Event::Lost(fd) => self.producers.on_lost(Some(fd)),
                    _ => {}
                }
                protocol.on_event(process, event);
            },
            |called| self.end(called),
        )
    }

    /// Calls `child_data_received`, like [`try_deliver`](Self::try_deliver) with [`Event::Data`].
    ///
    /// # Errors
    ///
    /// Those of [`try_deliver`](Self::try_deliver).
    #[inline]
    pub fn try_deliver_data(
        &self,
        process: &Process,
        fd: ChildFd,
        data: Bytes,
    ) -> thread::Result<()> {
        self.protocol.try_call(
            DropAfter::No,
            |protocol| protocol.on_event(process, Event::Data(fd, data)),
            |called| self.end(called),
        )
    }

    /// Drops the producers after the protocol is gone.
    #[cold]
    fn end(&self, called: thread::Result<()>) -> thread::Result<()> {
        let waiting = self.waiting.take();
        let called = first_panic(called, drop_caught(|| self.producers.retire()));
        first_panic(called, drop_caught(|| waiting.into_iter().for_each(|one| one.report())))
    }

    /// Keeps the reason of `process_ended`, which is about to be called, for the callers that wait.
    #[cold]
    fn note_end(&self, reason: &ExitReason) {
        if let Some(mut waiting) = self.waiting.take() {
            waiting.reason = Some(reason.clone());
            self.waiting.set(Some(waiting));
        }
    }

    /// Drops the producers, and the results that wait for an end.
    fn retire_others(&self) {
        let mut panics = FirstPanic::default();
        panics.catch(|| self.producers.retire());
        panics.catch(|| drop(self.waiting.take()));
        panics.resume();
    }

    /// Waits until the protocol had `process_ended`, unless that was reported with this reason.
    ///
    /// # Errors
    ///
    /// `Abandoned` if the protocol is dropped without that call.
    pub fn ended(&self, reported: Option<ExitReason>) -> Deferred<ExitReason, NoError> {
        if let Some(reason) = reported {
            return Deferred::ready(Ok(reason));
        }
        let (promise, ended) = Deferred::new();
        if !self.is_gone() {
            let mut waiting = self.waiting.take().unwrap_or_default();
            waiting.promises.push(promise);
            self.waiting.set(Some(waiting));
        }
        ended
    }

    /// Reports the loss of `fd` only to its producer. This is for a descriptor whose loss is not reported
    /// to the protocol, such as a terminal's input.
    ///
    /// # Errors
    ///
    /// The payload of a panic, which counts as the protocol's: the protocol is dropped.
    pub fn try_stop_producer(&self, fd: ChildFd) -> thread::Result<()> {
        let called = drop_caught(|| self.producers.on_lost(Some(fd)));
        if called.is_ok() {
            return called;
        }
        first_panic(called, drop_caught(|| drop(self.retire())))
    }

    /// Takes the protocol out for good. Drop it while nothing is borrowed.
    ///
    /// This drops the producers, so also call it while nothing is borrowed. If the protocol is in a
    /// callback, it is dropped when that returns.
    #[must_use = "drop it while nothing is borrowed"]
    pub fn retire(&self) -> Option<Box<dyn ProcessProtocol>> {
        self.retire_others();
        self.protocol.retire()
    }

    /// Returns the producers that write to the child.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Returns whether `process_ended` was called, or the protocol panicked or was retired.
    pub fn is_gone(&self) -> bool {
        self.protocol.is_gone()
    }
}

impl EndWaiters {
    /// Completes the results after the protocol is gone. Without a reason, drops them: they fail with
    /// `Abandoned`.
    fn report(self) {
        let Some(reason) = self.reason else { return };
        let mut panics = FirstPanic::default();
        for promise in self.promises {
            panics.catch(|| promise.complete(Ok(reason.clone())));
        }
        panics.resume();
    }
}

impl fmt::Debug for ProtocolSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtocolSlot").field("gone", &self.is_gone()).finish_non_exhaustive()
    }
}
