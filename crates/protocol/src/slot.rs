//! [`ProtocolSlot`]: where a transport keeps its protocol.
//!
//! The protocol is moved out for the length of a callback, so nothing is borrowed while it runs,
//! and put back when the callback returns. It is dropped after `process_ended`, and after a panic.

use crate::{ChildFd, Event, Process, ProcessProtocol, Producers};
use bytes::Bytes;
use procession_core::Mark;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
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
    /// `None` while a callback is running, and once it is gone.
    protocol: Cell<Option<Box<dyn ProcessProtocol>>>,
    /// The protocol ended, panicked or was retired.
    gone: Cell<bool>,
    producers: Producers,
}

impl ProtocolSlot {
    /// Keeps a protocol.
    pub fn new(protocol: Box<dyn ProcessProtocol>) -> Self {
        let protocol = Cell::new(Some(protocol));
        Self { protocol, gone: Cell::new(false), producers: Producers::new() }
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
        let is_last = matches!(event, Event::Ended(_));
        self.lend(is_last, |protocol| {
            self.producers.on_event(process, &event);
            call(protocol, process, event);
        })
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
        self.lend(false, |protocol| protocol.child_data_received(process, fd, data))
    }

    #[inline]
    fn lend(
        &self,
        is_last: bool,
        callback: impl FnOnce(&mut dyn ProcessProtocol),
    ) -> thread::Result<()> {
        let Some(mut protocol) = self.protocol.take() else { return Ok(()) };
        let called = catch_unwind(AssertUnwindSafe(|| callback(&mut *protocol)));
        if called.is_ok() && !is_last && !self.gone.get() {
            self.protocol.set(Some(protocol)); // where nothing is: only here it is put in
            return Ok(());
        }
        self.end(protocol, called, is_last)
    }

    /// The last callback has returned or panicked, or the protocol was retired in it.
    #[cold]
    fn end(
        &self,
        protocol: Box<dyn ProcessProtocol>,
        called: thread::Result<()>,
        is_last: bool,
    ) -> thread::Result<()> {
        if called.is_ok() && !is_last {
            return drop_caught(|| drop(protocol));
        }
        self.gone.set(true);
        let dropped = drop_caught(|| drop(protocol));
        let retired = drop_caught(|| self.producers.retire());
        first_panic(first_panic(called, dropped), retired)
    }

    /// Tells the producer of `fd` alone that the descriptor is lost: for one, a terminal's input,
    /// whose loss the protocol is not told of.
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
        self.producers.retire();
        self.gone.set(true);
        self.protocol.take()
    }

    /// Returns the producers that write to the child.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Tells whether the protocol ended, panicked or was retired.
    pub fn is_gone(&self) -> bool {
        self.gone.get()
    }
}

fn call(protocol: &mut dyn ProcessProtocol, process: &Process, event: Event) {
    match event {
        Event::Made => protocol.connection_made(process),
        Event::Data(fd, data) => protocol.child_data_received(process, fd, data),
        Event::ReadClosed(fd) => protocol.child_read_closed(process, fd),
        Event::Lost(fd) => protocol.child_connection_lost(process, fd),
        Event::Mark(fd, Mark::Full) => protocol.child_write_buffer_full(process, fd),
        Event::Mark(fd, Mark::Drained) => protocol.child_write_buffer_drained(process, fd),
        // An emptied queue is the producers' business, and a mark of a later version nobody's.
        Event::Mark(..) => {}
        Event::Exited(reason) => protocol.process_exited(process, reason),
        Event::Ended(reason) => protocol.process_ended(process, reason),
    }
}

/// The panic in a drop must not hide an earlier one.
fn first_panic(first: thread::Result<()>, second: thread::Result<()>) -> thread::Result<()> {
    match (first, second) {
        (Err(first), Err(second)) => {
            // A payload may panic in its own drop, so it is left alone.
            std::mem::forget(second);
            Err(first)
        }
        (first, second) => first.and(second),
    }
}

fn drop_caught(drop_it: impl FnOnce()) -> thread::Result<()> {
    catch_unwind(AssertUnwindSafe(drop_it))
}

impl fmt::Debug for ProtocolSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtocolSlot").field("gone", &self.gone.get()).finish_non_exhaustive()
    }
}
