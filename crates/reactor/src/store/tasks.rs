//! Futures on the loop. async-task implements the tasks. The queue and the wake-up are the loop's
//! own.
//!
//! The table has a waker of every task. So dropping the reactor drops every future in the reactor's
//! thread, even if its only other owner is a waker in another thread.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use async_task::Task;
use procession_core::driver::WithCell;

use super::shared::Shared;

type ActiveTasks = Rc<WithCell<BTreeMap<u64, Waker>>>;

/// The tasks of a reactor.
pub(crate) struct Tasks<J> {
    active: ActiveTasks,
    /// The number of the next task.
    next: Cell<u64>,
    shared: Arc<Shared<J>>,
}

/// Removes the task from the table when its future is dropped.
struct ForgetTask(ActiveTasks, u64);

impl Drop for ForgetTask {
    fn drop(&mut self) {
        let waker = self.0.with(|active| active.remove(&self.1));
        drop(waker); // may run foreign code, so not under the borrow
    }
}

impl<J: Send + 'static> Tasks<J> {
    pub(crate) fn new(shared: Arc<Shared<J>>) -> Self {
        Self {
            active: ActiveTasks::new(WithCell::new(BTreeMap::new())),
            next: Cell::new(0),
            shared,
        }
    }

    pub(crate) fn spawn<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> JoinHandle<T> {
        let id = self.next.replace(self.next.get() + 1);
        let forget = ForgetTask(Rc::clone(&self.active), id);
        let future = async move {
            let _forget = forget;
            future.await
        };
        let shared = Arc::clone(&self.shared);
        let schedule = move |runnable| shared.push_task(runnable);
        let (runnable, task) = async_task::spawn_local(future, schedule);
        if self.shared.is_closed() {
            drop(runnable); // and its future with it
        } else {
            let waker = runnable.waker();
            let none = self.active.with(|active| active.insert(id, waker));
            debug_assert!(none.is_none(), "numbers are not used twice");
            runnable.schedule();
        }
        JoinHandle(Some(task))
    }

    /// Drops the future of one task, or makes progress towards that. Returns false if no future is
    /// left.
    ///
    /// A thread that wakes a task marks it before it queues it. In between, this thread cannot
    /// queue it, so the next call looks for it again. The task stays in the table until its future
    /// is dropped.
    pub(crate) fn drop_one(&self) -> bool {
        if let Some(runnable) = self.shared.pop_task() {
            drop(runnable);
            return true;
        }
        let first = |active: &mut BTreeMap<u64, Waker>| active.values().next().cloned();
        let Some(waker) = self.active.with(first) else { return false };
        waker.wake(); // queues it: the next call drops it above
        if self.shared.tasks_waiting() == 0 {
            thread::yield_now(); // lets the other thread queue it
        }
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.active.with(|active| active.len())
    }
}

/// A task that [`Handle::spawn_local`](crate::Handle::spawn_local) started, and a future of its
/// result.
///
/// Dropping it lets the task continue.
///
/// # Panics
///
/// Awaiting it panics if the task panicked or was dropped with its reactor.
///
/// # Examples
///
/// ```
/// use procession::Reactor;
///
/// let mut reactor = Reactor::new()?;
/// let task = reactor.spawn_local(async { 6 * 7 });
/// assert_eq!(reactor.block_on(task), 42);
/// # std::io::Result::Ok(())
/// ```
pub struct JoinHandle<T>(Option<Task<T>>);

impl<T> JoinHandle<T> {
    /// Ends the task. Its future is dropped now, or when the running poll returns.
    #[doc(alias = "abort")]
    pub fn cancel(mut self) {
        drop(self.0.take());
    }

    /// Returns whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(Task::is_finished)
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.detach();
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let task = self.0.as_mut().expect("only methods that consume it take the task out");
        Pin::new(task).poll(context)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::wake::WakeSource;

    #[test]
    fn a_task_that_is_woken_and_not_yet_queued_is_waited_for() {
        let (_source, wake) = WakeSource::portable().unwrap();
        let shared = Arc::new(Shared::<()>::new(wake));
        let tasks = Tasks::new(Arc::clone(&shared));
        let alive = Rc::new(());
        let inside = Rc::clone(&alive);
        let spawned = tasks.spawn(async move {
            let _inside = inside;
            pending::<()>().await;
        });
        // This stands for another thread that is waking the task.
        let woken = shared.pop_task().unwrap();
        for _ in 0..3 {
            assert!(tasks.drop_one());
        }
        shared.push_task(woken);
        assert!(tasks.drop_one());
        assert_eq!(Rc::strong_count(&alive), 1);
        assert!(!tasks.drop_one());
        assert_eq!(tasks.len(), 0);
        assert!(spawned.is_finished());
    }
}
