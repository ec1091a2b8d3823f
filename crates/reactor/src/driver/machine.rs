//! What is driven, and how: by the loop's events, and by what a machine's own methods ask for.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::thread;

use bytes::Bytes;
use procession_core::Deferred;
use procession_core::driver::FirstPanic;

use super::kept::Driver;
use crate::handle::Handle;
use crate::handle::{EventHandler, Ready};
use crate::pipe::{Pipe, ReadEvent};
use crate::stopped::Stopped;
use crate::store::ends::{OnEnd, Outlasting};

/// A transport: what differs between a child and a connection.
///
/// Each method is a short change of the transport's state, and no method but
/// [`deliver`](Self::deliver) and [`deliver_data`](Self::deliver_data) calls a protocol. What may run
/// foreign code when it is dropped is handed out as [`Leftovers`](Self::Leftovers), or dropped where
/// nothing is borrowed.
pub trait Machine: Sized + 'static {
    /// Says which input is read.
    type Source: Copy;
    /// A callback that is due.
    type Event;
    /// The handle that callbacks are given.
    type Subject;
    /// What a change leaves over, to be dropped or told where nothing is borrowed.
    type Leftovers;

    /// Returns what the driver keeps.
    fn driver(&self) -> &Driver<Self>;

    /// Makes the handle that callbacks are given.
    fn subject(me: Rc<Self>) -> Self::Subject;

    /// Returns whether [`poll_event`](Self::poll_event) gives something.
    fn has_event(&self) -> bool;

    /// Takes the callback that is due next.
    fn poll_event(&self) -> Option<Self::Event>;

    /// Makes one callback.
    ///
    /// # Errors
    ///
    /// The payload of a panic; the protocol is dropped by then.
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

    /// Acts on what the poller saw of one source. Where that is a read and no more, reads once and
    /// returns what came of it.
    fn on_ready(&self, ready: Ready) -> Option<(Self::Source, ReadEvent)>;

    /// Called when an event was acted on, and before what is due then is delivered.
    #[inline]
    fn on_ready_done(&self) {}

    /// Reads once, of what is left of the turn's budget in bytes; `None` if the input is paused,
    /// closed, or somebody else's by now.
    fn read_once(&self, source: Self::Source, budget: usize) -> Option<ReadEvent>;

    /// Acts on a read that gave no data.
    fn on_read_over(&self, source: Self::Source, event: ReadEvent);

    /// Returns whether the input is read on although no event will ask for it.
    #[inline]
    fn reads_without_events(&self, source: Self::Source) -> bool {
        let _ = source;
        false
    }

    /// Has the input read in the next turn: its budget is used up, and no event will ask for it.
    fn read_later(&self, source: Self::Source) {
        let _ = source;
    }

    /// Writes what is queued, and closes what is to be closed.
    fn on_flush(&self);

    /// The protocol panicked, and is dropped: what was due for it is dropped too.
    fn on_panicked(&self) -> Self::Leftovers;

    /// The loop stops: what the kernel takes now is written, and everything is closed.
    fn on_loop_stops(&self) -> Self::Leftovers;

    /// A `run_until` is over: what the machine owns outside of the program ends, as
    /// [`OnEnd::end_owned`] says.
    fn end_owned(&self, why: Stopped) -> Option<Deferred<(), Infallible>> {
        let _ = why;
        None
    }

    /// The loop is going away, with every descriptor in it: everything is closed, and nothing is due
    /// any more. Returns what the drop of the reactor waits for, too.
    fn on_loop_gone(&self) -> (Self::Leftovers, Option<Box<dyn Outlasting>>);

    /// Drops the protocol.
    fn retire(&self);

    /// Drops and tells what a change has left over.
    fn settle(&self, left: Self::Leftovers) {
        drop(left);
    }

    // What the driver does. No machine has an implementation of its own.

    /// Asks the loop for a flush at the end of the running callback: it writes what is queued, and
    /// delivers what is due.
    fn queue_flush(&self) {
        let driver = self.driver();
        if !driver.flush_queued.replace(true)
            && let Some(me) = driver.me().upgrade()
        {
            driver.reactor().io().flush_later(me);
        }
    }

    /// Delivers the first callback, and no other, for this may be called from outside of the loop.
    /// What is due by then is delivered by the loop.
    ///
    /// # Panics
    ///
    /// A panic of the callback goes on, once the machine is in order.
    fn made(&self) {
        deliver(self, 1);
        if self.has_event() {
            self.queue_flush();
        }
    }

    /// Delivers what is due, with nothing borrowed; nothing inside of a callback.
    ///
    /// # Panics
    ///
    /// A panic of a callback goes on, once the machine is in order: see [`Machine::on_panicked`].
    #[inline]
    fn pump(&self) {
        if self.has_event() {
            deliver(self, usize::MAX);
        }
    }

    /// If what follows panics (a callback of a `Deferred`, an owner of data), what is due by then is
    /// delivered by the next turn.
    #[inline]
    #[must_use = "dropped at once it does nothing"]
    fn pump_after_a_panic(&self) -> impl Sized {
        PumpAfterPanic(self)
    }

    /// Reads one input until it has nothing more, has had its share of the turn, or is closed. What is
    /// due then is left to the caller to pump.
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
            self.0.queue_flush();
        }
    }
}

#[inline]
fn subject<M: Machine>(machine: &M) -> M::Subject {
    M::subject(machine.driver().me().upgrade().expect("a method of it is running"))
}

fn deliver<M: Machine>(machine: &M, at_most: usize) {
    let pumping = &machine.driver().pumping;
    if pumping.get() {
        return;
    }
    let Some(mut event) = machine.poll_event() else { return };
    pumping.set(true);
    let subject = subject(machine);
    let mut left = at_most;
    loop {
        if let Err(panic) = machine.deliver(&subject, event) {
            on_panicked(machine, panic);
        }
        left -= 1;
        if left == 0 {
            break;
        }
        let Some(next) = machine.poll_event() else { break };
        event = next;
    }
    pumping.set(false);
}

/// Delivers data that are due before anything else. Only the loop reads: no callback is being made
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

/// Puts the machine in order, and lets the panic go on.
#[cold]
fn on_panicked<M: Machine>(machine: &M, panic: Box<dyn Any + Send>) -> ! {
    let left = machine.on_panicked();
    machine.driver().pumping.set(false);
    machine.queue_flush();
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| machine.settle(left))) {
        FirstPanic::discard(second); // the first is the cause, most likely
    }
    resume_unwind(panic);
}

/// Goes on after the first read of an event.
#[inline]
fn on_read<M: Machine>(machine: &M, source: M::Source, read: ReadEvent) {
    match read {
        // Nearly always.
        ReadEvent::Data(data)
            if data.len() < Pipe::READ_AGAIN_BYTES && !machine.reads_without_events(source) =>
        {
            deliver_data(machine, source, data);
        }
        read => read_on(machine, source, read),
    }
}

/// Reads on until there is nothing more, the share of the turn is used up, or nobody wants more.
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
                return; // and what is due is delivered by the caller
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
        if let Some((source, read)) = self.on_ready(ready) {
            on_read(&*self, source, read);
        }
        self.on_ready_done();
        self.pump();
    }

    fn flush(self: Rc<Self>, _: &Handle) {
        let _pump = self.pump_after_a_panic();
        self.driver().flush_queued.set(false);
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

    fn end_owned(self: Rc<Self>, why: Stopped) -> Option<Deferred<(), Infallible>> {
        Machine::end_owned(&*self, why)
    }
}
