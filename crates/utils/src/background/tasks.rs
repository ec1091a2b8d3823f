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

use procession_core::driver::{FirstPanic, WithCell};
use procession_reactor::Handle;

/// The loop, for what runs on it.
#[derive(Clone)]
pub(super) struct LoopContext {
    pub(super) handle: Handle,
    tasks: Rc<Tasks>,
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
        Self { handle, tasks: Rc::default() }
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
