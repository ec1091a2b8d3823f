//! The tasks of a background's loop, which can all be ended at once.
//!
//! Cancelling a task of the reactor drops its future in a later turn. At a stop that is too late:
//! the futures must have begun to terminate their groups when the loop ends what is left. So each
//! future is in a slot that its task and this table share.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use procession_core::Deferred;
use procession_core::driver::{FirstPanic, WithCell};
use procession_reactor::Handle;

use crate::{Outcome, OutputError, OutputLine, Run};

/// The loop, for what runs on it.
#[derive(Clone)]
pub(super) struct LoopContext {
    pub(super) handle: Handle,
    tasks: Rc<Tasks>,
    starts: Rc<Starts>,
}

/// What the loop has to start.
#[derive(Default)]
struct Starts {
    /// More requests wait.
    is_busy: Cell<bool>,
    /// How many runs the launch threads have.
    off_loop: Cell<usize>,
}

#[derive(Default)]
struct Tasks {
    slots: WithCell<BTreeMap<u64, Rc<Slot>>>,
    next: Cell<u64>,
    are_over: Cell<bool>,
}

/// Empty while its future is polled, and after its end.
type Slot = WithCell<Option<Pin<Box<dyn Future<Output = ()>>>>>;

impl LoopContext {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, tasks: Rc::default(), starts: Rc::default() }
    }

    /// Records whether more requests wait.
    pub(super) fn set_busy(&self, is_busy: bool) {
        self.starts.is_busy.set(is_busy);
    }

    /// Starts a run. The loop launches it itself, which saves two hand-overs, unless it has something
    /// else to start: then the launch threads do it, and the loop goes on.
    pub(super) fn start<F: FnMut(OutputLine) + 'static>(
        &self,
        run: Run<F>,
    ) -> Deferred<Outcome, OutputError> {
        let starts = &self.starts;
        if !starts.is_busy.get() && starts.off_loop.get() == 0 {
            return run.start_on(&self.handle);
        }
        starts.off_loop.set(starts.off_loop.get() + 1);
        let starts = Rc::clone(starts);
        let is_over = move || starts.off_loop.set(starts.off_loop.get() - 1);
        run.start_off_loop(&self.handle, is_over)
    }

    /// Runs a future on the loop. After [`end_all`](Self::end_all) it drops the future.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        if self.tasks.are_over.get() {
            return drop(future);
        }
        let slot: Rc<Slot> = Rc::new(WithCell::new(Some(Box::pin(future))));
        let number = self.tasks.next.get();
        self.tasks.next.set(number + 1);
        self.tasks.slots.with(|slots| slots.insert(number, Rc::clone(&slot)));
        // The task goes on without its handle.
        drop(self.handle.spawn_local(Task { slot, number, tasks: Rc::clone(&self.tasks) }));
    }

    /// Drops the futures of all tasks, now.
    pub(super) fn end_all(&self) {
        self.tasks.are_over.set(true);
        let mut panics = FirstPanic::default();
        for slot in self.tasks.slots.take().into_values() {
            panics.catch(|| drop(slot.take()));
        }
        panics.resume();
    }
}

struct Task {
    slot: Rc<Slot>,
    number: u64,
    tasks: Rc<Tasks>,
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(mut future) = self.slot.take() else { return Poll::Ready(()) };
        let polled = future.as_mut().poll(context);
        if polled.is_pending() && !self.tasks.are_over.get() {
            let none = self.slot.replace(Some(future));
            drop(none);
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let slot = self.tasks.slots.with(|slots| slots.remove(&self.number));
        drop(slot);
    }
}
