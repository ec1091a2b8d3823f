//! [`ProtocolSlot`]: where a transport keeps its protocol.
//!
//! The protocol is moved out for the length of a callback, so nothing is borrowed while it runs,
//! and put back when the callback returns. It is dropped after `process_ended`, and after a panic.

use crate::{ChildFd, Event, Process, ProcessProtocol, Producers};
use procession_core::{Mark, WithCell};
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
    place: WithCell<Place>,
    producers: Producers,
}

enum Place {
    Here(Box<dyn ProcessProtocol>),
    /// A callback is running.
    Lent,
    /// The protocol ended, panicked or was retired.
    Gone,
}

impl ProtocolSlot {
    /// Keeps a protocol.
    pub fn new(protocol: Box<dyn ProcessProtocol>) -> Self {
        Self { place: WithCell::new(Place::Here(protocol)), producers: Producers::new() }
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
        let Some(mut protocol) = self.lend() else { return Ok(()) };
        let is_last = matches!(event, Event::Ended(_));
        let called = catch_unwind(AssertUnwindSafe(|| {
            self.producers.on_event(process, &event);
            call(&mut *protocol, process, event);
        }));
        if called.is_ok() && !is_last {
            return match self.put_back(protocol) {
                Some(retired) => drop_caught(|| drop(retired)),
                None => called,
            };
        }
        self.place.with(|place| *place = Place::Gone);
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
        match self.place.replace(Place::Gone) {
            Place::Here(protocol) => Some(protocol),
            Place::Lent | Place::Gone => None,
        }
    }

    /// Returns the producers that write to the child.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Tells whether the protocol ended, panicked or was retired.
    pub fn is_gone(&self) -> bool {
        self.place.with(|place| matches!(place, Place::Gone))
    }

    fn lend(&self) -> Option<Box<dyn ProcessProtocol>> {
        self.place.with(|place| match std::mem::replace(place, Place::Lent) {
            Place::Here(protocol) => Some(protocol),
            Place::Lent => None,
            Place::Gone => {
                *place = Place::Gone;
                None
            }
        })
    }

    /// Returns the protocol where it was retired meanwhile.
    fn put_back(&self, protocol: Box<dyn ProcessProtocol>) -> Option<Box<dyn ProcessProtocol>> {
        self.place.with(|place| match place {
            Place::Gone => Some(protocol),
            Place::Here(_) | Place::Lent => {
                *place = Place::Here(protocol);
                None
            }
        })
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
        // A mark of a later version has no callback here.
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
        let place = self.place.with(|place| match place {
            Place::Here(_) => "here",
            Place::Lent => "in a callback",
            Place::Gone => "gone",
        });
        f.debug_tuple("ProtocolSlot").field(&place).finish()
    }
}
