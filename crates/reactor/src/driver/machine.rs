//! Drives a machine: by the loop's events, and by calls from the machine's own methods.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::thread;

use bytes::Bytes;
use procession_core::driver::FirstPanic;
use procession_core::{Deferred, NoError};

use super::kept::{Driver, NextFlush};
use crate::handle::Handle;
use crate::handle::{EventHandler, Ready};
use crate::pipe::{Pipe, ReadEvent};
use crate::stopped::Stopped;
use crate::store::ends::{OnEnd, Outlasting};

/// A transport. The methods are where a child and a connection differ.
///
/// Each method is a short change of the transport's state. Only [`deliver`](Self::deliver) and
/// [`deliver_data`](Self::deliver_data) call a protocol. A value whose drop may run foreign code is
/// handed out as [`Leftovers`](Self::Leftovers), or dropped where nothing is borrowed.
pub trait Machine: Sized + 'static {
    /// Identifies the input that is read.
    type Source: Copy;
    /// A callback that is due.
    type Event;
    /// The handle that callbacks receive.
    type Subject;
    /// Values that a change leaves over. They are dropped or reported where nothing is borrowed.
    type Leftovers;

    /// Returns the driver's state.
    fn driver(&self) -> &Driver<Self>;

    /// Makes the handle that callbacks receive.
    fn subject(me: Rc<Self>) -> Self::Subject;

    /// Returns whether [`poll_event`](Self::poll_event) would return an event.
    fn has_event(&self) -> bool;

    /// Takes the next callback that is due.
    fn poll_event(&self) -> Option<Self::Event>;

    /// Makes one callback.
    ///
    /// # Errors
    ///
    /// The payload of a panic. The protocol is already dropped.
    fn deliver(&self, subject: &Self::Subject, event: Self::Event) -> thread::Result<()>;

    /// Makes the callback for data that are due before anything else.
    ///
    /// # Errors
    ///
    /// As [`deliver`](Self::deliver).
    fn deliver_data(
        &self,
        subject: &Self::Subject,
        source: Self::Source,
        data: Bytes,
    ) -> thread::Result<()>;

    /// Handles an event of one source. If the event only asks for a read, reads once and returns
    /// the result.
    fn on_ready(&self, ready: Ready) -> Option<(Self::Source, ReadEvent)>;

    /// Called after an event was handled, before the callbacks that are due are delivered.
    #[inline]
    fn on_ready_done(&self) {}

    /// Reads once, within the rest of the turn's budget in bytes. Returns `None` if the input is
    /// paused, closed, or no longer belongs to this transport.
    fn read_once(&self, source: Self::Source, budget: usize) -> Option<ReadEvent>;

    /// Handles a read that gave no data.
    fn on_read_over(&self, source: Self::Source, event: ReadEvent);

    /// Returns whether the driver must read the input again although no event will ask for it.
    #[inline]
    fn reads_without_events(&self, source: Self::Source) -> bool {
        let _ = source;
        false
    }

    /// Schedules a read of the input for the next turn: its budget is used up, and no event will
    /// ask for it.
    fn read_later(&self, source: Self::Source) {
        let _ = source;
    }

    /// Writes the queued data, and closes what is due to be closed.
    fn on_flush(&self);

    /// Called when the protocol has panicked and is dropped. Drops the callbacks that were due for
    /// it.
    fn on_panicked(&self) -> Self::Leftovers;

    /// Called when the loop stops. Writes what the kernel takes now, and closes everything.
    fn on_loop_stops(&self) -> Self::Leftovers;

    /// Called when a `run_until` is over. Ends what the machine owns outside the program: see
    /// [`OnEnd::end_owned`].
    fn end_owned(&self, why: Stopped) -> Option<Deferred<(), NoError>> {
        let _ = why;
        None
    }

    /// Called when the reactor is dropped, with all its descriptors. Closes everything and makes no
    /// more callbacks due. Also returns what the drop of the reactor waits for.
    fn on_loop_gone(&self) -> (Self::Leftovers, Option<Box<dyn Outlasting>>);

    /// Drops the protocol.
    fn retire(&self);

    /// Drops and reports the leftovers of a change.
    fn settle(&self, left: Self::Leftovers) {
        drop(left);
    }

    // The driver's part. No machine overrides these methods.

    /// Asks for a flush at the end of the running callback. The flush writes queued data
    /// and delivers callbacks that are due.
    fn queue_flush(&self) {
        let driver = self.driver();
        match driver.flush.get() {
            NextFlush::NotAskedInEvent if !driver.reactor().io().is_flush_queued() => {
                driver.flush.set(NextFlush::AfterEvent);
            }
            NextFlush::NotAsked | NextFlush::NotAskedInEvent => push_flush(self),
            NextFlush::AfterEvent | NextFlush::Queued => {}
        }
    }

    /// Delivers the first callback and no other, because the caller may be outside the loop. The
    /// loop delivers the callbacks that are due afterwards.
    ///
    /// # Panics
    ///
    /// A panic of the callback continues once the machine is consistent.
    fn made(&self) {
        deliver(self, 1);
        if self.has_event() {
            self.queue_flush();
        }
    }

    /// Delivers the callbacks that are due, with nothing borrowed. Does nothing inside a callback.
    ///
    /// # Panics
    ///
    /// A panic of a callback continues once the machine is consistent: see
    /// [`Machine::on_panicked`].
    #[inline]
    fn pump(&self) {
        if self.has_event() {
            deliver(self, usize::MAX);
        }
    }

    /// Returns a guard. If the following code panics (a callback of a `Deferred`, an owner of
    /// data), the guard has the next turn deliver the callbacks that are due.
    #[inline]
    #[must_use = "it does nothing if it is dropped at once"]
    fn pump_after_a_panic(&self) -> impl Sized {
        PumpAfterPanic(self)
    }

    /// Reads one input until it has no more data, its share of the turn is used up, or it is
    /// closed. The caller then pumps the callbacks that are due.
    ///
    /// # Panics
    ///
    /// As [`pump`](Self::pump).
    fn read_on(&self, source: Self::Source) {
        if let Some(first) = self.read_once(source, Pipe::READ_BUDGET_BYTES) {
            read_on(self, source, first);
        }
    }
}

/// Queues a flush if it is dropped by a panic.
struct PumpAfterPanic<'a, M: Machine>(&'a M);

impl<M: Machine> Drop for PumpAfterPanic<'_, M> {
    #[inline]
    fn drop(&mut self) {
        if thread::panicking() {
            after_a_panic(self.0);
        }
    }
}

/// The event that was handled is over, so its flush must be queued.
#[cold]
fn after_a_panic<M: Machine>(machine: &M) {
    if machine.driver().flush.get() != NextFlush::Queued {
        push_flush(machine);
    }
}

fn push_flush<M: Machine>(machine: &M) {
    let driver = machine.driver();
    driver.flush.set(NextFlush::Queued);
    if let Some(me) = driver.me().upgrade() {
        driver.reactor().io().flush_later(me);
    }
}

#[inline]
fn subject<M: Machine>(machine: &M) -> M::Subject {
    M::subject(machine.driver().me().upgrade().expect("a method of it is running"))
}

fn deliver<M: Machine>(machine: &M, at_most: usize) {
    let pumping = &machine.driver().pumping;
    if pumping.replace(true) {
        return;
    }
    let subject = subject(machine);
    let mut left = at_most;
    while left > 0
        && let Some(event) = machine.poll_event()
    {
        if let Err(panic) = machine.deliver(&subject, event) {
            on_panicked(machine, panic);
        }
        left = if machine.has_event() { left - 1 } else { 0 };
    }
    pumping.set(false);
}

/// Delivers data that are due before anything else. Only the loop reads, so no callback is running
/// further up the stack.
#[inline]
fn deliver_data<M: Machine>(machine: &M, source: M::Source, data: Bytes) {
    let pumping = &machine.driver().pumping;
    pumping.set(true);
    if let Err(panic) = machine.deliver_data(&subject(machine), source, data) {
        on_panicked(machine, panic);
    }
    pumping.set(false);
}

/// Makes the machine consistent and continues the panic.
#[cold]
fn on_panicked<M: Machine>(machine: &M, panic: Box<dyn Any + Send>) -> ! {
    let left = machine.on_panicked();
    machine.driver().pumping.set(false);
    machine.queue_flush();
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| machine.settle(left))) {
        FirstPanic::discard(second); // the first panic is most likely the cause
    }
    resume_unwind(panic);
}

/// Continues after the first read of an event.
#[inline]
fn on_read<M: Machine>(machine: &M, source: M::Source, read: ReadEvent) {
    match read {
        // The usual case.
        ReadEvent::Data(data)
            if data.len() < Pipe::READ_AGAIN_BYTES && !machine.reads_without_events(source) =>
        {
            deliver_data(machine, source, data);
        }
        read => read_on(machine, source, read),
    }
}

/// Reads until no data are left, the share of the turn is used up, or the machine stops reading.
fn read_on<M: Machine>(machine: &M, source: M::Source, first: ReadEvent) {
    let mut read = first;
    let mut budget = Pipe::READ_BUDGET_BYTES;
    loop {
        let bytes = match read {
            ReadEvent::Data(data) => {
                let bytes = data.len();
                deliver_data(machine, source, data);
                bytes
            }
            ReadEvent::Queued(bytes) => bytes,
            ReadEvent::Refused(refused) => refused.len(),
            event => return machine.on_read_over(source, event),
        };
        budget = budget.saturating_sub(bytes);
        if bytes < Pipe::READ_AGAIN_BYTES || budget == 0 {
            if !machine.reads_without_events(source) {
                return; // the caller delivers what is due
            }
            if budget == 0 {
                return machine.read_later(source);
            }
        }
        machine.pump();
        let Some(next) = machine.read_once(source, budget) else { return };
        read = next;
    }
}

impl<M: Machine> EventHandler for M {
    fn ready(self: Rc<Self>, _: &Handle, ready: Ready) {
        let _pump = self.pump_after_a_panic();
        self.driver().begin_event();
        if let Some((source, read)) = self.on_ready(ready) {
            on_read(&*self, source, read);
        }
        self.on_ready_done();
        self.pump();
        if self.driver().end_event() {
            self.on_flush();
            self.pump();
        }
    }

    fn flush(self: Rc<Self>, _: &Handle) {
        let _pump = self.pump_after_a_panic();
        self.driver().flush.set(NextFlush::NotAsked);
        self.on_flush();
        self.pump();
    }
}

impl<M: Machine> OnEnd for M {
    fn dropped(self: Rc<Self>, outlasting: &mut Vec<Box<dyn Outlasting>>) {
        let (left, last) = self.on_loop_gone();
        outlasting.extend(last);
        let mut panics = FirstPanic::default();
        panics.catch(|| drop(left));
        panics.catch(|| self.retire());
        panics.resume();
    }

    fn stopped(self: Rc<Self>) {
        let _pump = self.pump_after_a_panic();
        let left = self.on_loop_stops();
        self.queue_flush();
        self.settle(left);
    }

    fn end_owned(self: Rc<Self>, why: Stopped) -> Option<Deferred<(), NoError>> {
        Machine::end_owned(&*self, why)
    }
}
