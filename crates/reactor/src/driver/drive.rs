//! How a machine is driven: by the loop's events, and by what its own methods ask for.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::thread;

use bytes::Bytes;
use procession_core::Deferred;

use super::machine::{Machine, Read};
use crate::handle::Handle;
use crate::handler::{EventHandler, Ready};
use crate::pipe::{READ_AGAIN_BYTES, READ_BUDGET_BYTES, ReadEvent};
use crate::stopping::{OnStop, OwnedEnd};
use procession_core::driver::FirstPanic;

/// What a machine's own methods ask of its driver. Every [`Machine`] has it.
pub trait Drive: Machine {
    /// Asks the loop for a flush at the end of the running callback: it writes what is queued, and
    /// delivers what is due.
    fn queue_flush(&self) {
        let driver = self.driver();
        if !driver.flush_queued.replace(true)
            && let Some(me) = driver.me().upgrade()
        {
            driver.reactor().flush_later(me);
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
    fn pump_after_a_panic(&self) -> PumpAfterPanic<'_, Self> {
        PumpAfterPanic(self)
    }

    /// Reads one input until it has nothing more, has had its share of the turn, or is closed. What is
    /// due then is left to the caller to pump.
    ///
    /// # Panics
    ///
    /// As [`pump`](Self::pump).
    fn read_on(&self, source: Self::Source) {
        if let Some(first) = self.read_once(source, READ_BUDGET_BYTES) {
            read_on(self, source, first);
        }
    }
}

impl<M: Machine> Drive for M {}

/// Queues a flush if it is dropped by a panic. [`Drive::pump_after_a_panic`] makes one.
#[derive(Debug)]
#[must_use = "dropped at once it does nothing"]
pub struct PumpAfterPanic<'a, M: Machine>(&'a M);

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
fn on_read<M: Machine>(machine: &M, source: M::Source, read: Read) {
    match read {
        // Nearly always.
        Read::Data(data)
            if data.len() < READ_AGAIN_BYTES && !machine.reads_without_events(source) =>
        {
            deliver_data(machine, source, data);
        }
        read => read_on(machine, source, read),
    }
}

/// Reads on until there is nothing more, the share of the turn is used up, or nobody wants more.
fn read_on<M: Machine>(machine: &M, source: M::Source, first: Read) {
    let mut read = first;
    let mut budget = READ_BUDGET_BYTES;
    loop {
        let bytes = match read {
            Read::Data(data) => {
                let bytes = data.len();
                deliver_data(machine, source, data);
                bytes
            }
            Read::Queued(bytes) => bytes,
            // Nobody wants it any more.
            Read::Event(ReadEvent::Data(refused)) => refused.len(),
            Read::Event(event) => return machine.on_read_over(source, event),
        };
        budget = budget.saturating_sub(bytes);
        if bytes < READ_AGAIN_BYTES || budget == 0 {
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

    fn reactor_dropped(self: Rc<Self>) {
        let left = self.on_loop_gone();
        let mut panics = FirstPanic::default();
        panics.catch(|| drop(left));
        panics.catch(|| self.retire());
        panics.resume();
    }
}

impl<M: Machine> OnStop for M {
    fn on_stop(self: Rc<Self>) {
        let _pump = self.pump_after_a_panic();
        let left = self.on_loop_stops();
        self.queue_flush();
        self.settle(left);
    }

    fn end_owned(self: Rc<Self>, which: OwnedEnd) -> Option<Deferred<(), Infallible>> {
        Machine::end_owned(&*self, which)
    }
}
