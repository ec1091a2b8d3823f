//! [`ProtocolSlot`]: where a transport keeps its protocol.
//!
//! The protocol is moved out for the length of a callback, so nothing is borrowed while it runs,
//! and put back when the callback returns. It is dropped after `process_ended`, and after a panic.
//! Its producers hear of an event just before it does, and are dropped after it.

use crate::kept::{Kept, Last, drop_caught, first_panic};
use crate::{ChildFd, Event, ExitReason, Process, ProcessProtocol, Producers};
use bytes::Bytes;
use procession_core::panics::FirstPanic;
use procession_core::{Deferred, Mark, Promise};
use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::panic::resume_unwind;
use std::thread;

/// Keeps a protocol and calls it.
///
/// # Examples
///
/// ```
/// use procession_protocol::{Event, FakeProcess, ProcessProtocol, ProtocolSlot};
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
    protocol: Kept<dyn ProcessProtocol>,
    producers: Producers,
    /// Who waits for the end; few children have anybody.
    waiting: Cell<Option<Box<Waiting>>>,
}

/// Those to whom the end is reported once the protocol has heard of it.
#[derive(Default)]
struct Waiting {
    promises: Vec<Promise<ExitReason, Infallible>>,
    /// Once the protocol hears of it.
    reason: Option<ExitReason>,
}

impl ProtocolSlot {
    /// Keeps a protocol.
    pub fn new(protocol: Box<dyn ProcessProtocol>) -> Self {
        Self {
            protocol: Kept::new(protocol),
            producers: Producers::new(),
            waiting: Cell::default(),
        }
    }

    /// Calls the protocol's method for `event`.
    ///
    /// Nothing is called once the protocol is gone, nor while a callback is running: drivers queue.
    ///
    /// # Panics
    ///
    /// A panic of the protocol goes on, once the protocol is dropped.
    pub fn deliver(&self, process: &Process, event: Event) {
        if let Err(panic) = self.try_deliver(process, event) {
            resume_unwind(panic);
        }
    }

    /// Does the same, and returns the panic, so that a driver can put its state in order before it
    /// lets the panic go on.
    ///
    /// # Errors
    ///
    /// The payload of the panic; the protocol is dropped.
    pub fn try_deliver(&self, process: &Process, event: Event) -> thread::Result<()> {
        let last = if let Event::Ended(reason) = &event {
            self.note_end(reason);
            Last::Yes
        } else {
            Last::No
        };
        self.protocol.try_call_then(
            last,
            |protocol| {
                self.producers.on_event(process, &event);
                // An emptied queue is the producers' business.
                if !matches!(event, Event::Mark(_, Mark::Emptied)) {
                    protocol.on_event(process, event);
                }
            },
            |called| self.end(called),
        )
    }

    /// Does the same for [`Event::Data`].
    ///
    /// # Errors
    ///
    /// As [`try_deliver`](Self::try_deliver).
    #[inline]
    pub fn try_deliver_data(
        &self,
        process: &Process,
        fd: ChildFd,
        data: Bytes,
    ) -> thread::Result<()> {
        self.protocol.try_call_then(
            Last::No,
            |protocol| protocol.on_event(process, Event::Data(fd, data)),
            |called| self.end(called),
        )
    }

    /// The protocol is gone, and its producers go with it.
    #[cold]
    fn end(&self, called: thread::Result<()>) -> thread::Result<()> {
        let waiting = self.waiting.take();
        let called = first_panic(called, drop_caught(|| self.producers.retire()));
        first_panic(called, drop_caught(|| waiting.into_iter().for_each(|waiting| waiting.tell())))
    }

    /// The protocol is about to hear how the child ended; those who wait hear it after that.
    #[cold]
    fn note_end(&self, reason: &ExitReason) {
        if let Some(mut waiting) = self.waiting.take() {
            waiting.reason = Some(reason.clone());
            self.waiting.set(Some(waiting));
        }
    }

    /// The producers go, and nobody is told of an end any more.
    fn retire_others(&self) {
        let mut panics = FirstPanic::default();
        panics.catch(|| self.producers.retire());
        panics.catch(|| drop(self.waiting.take()));
        panics.resume();
    }

    /// Waits until the protocol has heard of the end: `Abandoned` if it does not hear of it.
    pub fn ended(&self) -> Deferred<ExitReason, Infallible> {
        let (promise, ended) = Deferred::new();
        if !self.is_gone() {
            let mut waiting = self.waiting.take().unwrap_or_default();
            waiting.promises.push(promise);
            self.waiting.set(Some(waiting));
        }
        ended
    }

    /// Tells the producer of `fd` alone that the descriptor is lost: for one, a terminal's input,
    /// whose loss is not reported to the protocol.
    ///
    /// # Errors
    ///
    /// The payload of a panic, which counts as the protocol's: that is dropped.
    pub fn try_stop_producer(&self, process: &Process, fd: ChildFd) -> thread::Result<()> {
        let lost = Event::Lost(fd);
        let called = drop_caught(|| self.producers.on_event(process, &lost));
        if called.is_ok() {
            return called;
        }
        first_panic(called, drop_caught(|| drop(self.retire())))
    }

    /// Takes the protocol out for good, for the caller to drop where nothing is borrowed.
    ///
    /// Its producers are dropped here, so this is to be called where nothing is borrowed, too.
    /// One that is in a callback is dropped when that returns.
    #[must_use = "drop it where nothing is borrowed"]
    pub fn retire(&self) -> Option<Box<dyn ProcessProtocol>> {
        self.retire_others();
        self.protocol.retire()
    }

    /// Returns the producers that write to the child.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Tells whether the protocol ended, panicked or was retired.
    pub fn is_gone(&self) -> bool {
        self.protocol.is_gone()
    }
}

impl Waiting {
    /// The protocol is gone: tells how the child ended, or that nobody will.
    fn tell(self) {
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
