//! The state that the loop shares with other threads, signal handlers and the wakers of futures.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, PoisonError};
use std::task::Wake;

use async_task::Runnable;

use crate::sync::{AtomicBool, Mutex, MutexGuard};
use crate::wake::WakeFd;

/// The state that the loop shares with other threads.
pub(crate) struct Shared<J> {
    queues: Mutex<Queues<J>>,
    /// `None` once the reactor is gone. Then its descriptor is closed, although `Remote`s still
    /// exist.
    wake: Mutex<Option<Arc<WakeFd>>>,
    /// Work was added since the loop last looked.
    work: AtomicBool,
    /// A watched signal has arrived since the loop last looked.
    signalled: Arc<AtomicBool>,
    /// The loop will look at `work` before it waits, so it needs no wake-up.
    awake: AtomicBool,
    closed: AtomicBool,
}

/// The work that other threads and wakers have added.
struct Queues<J> {
    jobs: VecDeque<J>,
    tasks: VecDeque<Runnable>,
}

impl<J> Shared<J> {
    pub(crate) fn new(wake: WakeFd) -> Self {
        Self {
            queues: Mutex::new(Queues { jobs: VecDeque::new(), tasks: VecDeque::new() }),
            wake: Mutex::new(Some(Arc::new(wake))),
            work: AtomicBool::new(false),
            signalled: Arc::default(),
            awake: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// Has the loop look at its queues, and ends its wait if it waits.
    pub(crate) fn wake(&self) {
        // The order of the two makes this safe: the loop clears `awake` before its last look at
        // `work`, so one of the two sides sees the other.
        if !self.work.swap(true, SeqCst) && !self.awake.load(SeqCst) {
            self.write();
        }
    }

    /// Wakes the loop, or the loop that hosts it, even if work is already noted.
    pub(crate) fn write(&self) {
        if let Some(wake) = &*lock(&self.wake) {
            wake.wake();
        }
    }

    /// Notes that the loop looks at `work` before it waits. Needs no order: a thread that sees the
    /// old value writes a wake-up that changes nothing.
    pub(crate) fn set_awake(&self) {
        self.awake.store(true, Relaxed);
    }

    /// Notes that the loop looks at `work` for the last time before it waits.
    pub(crate) fn set_asleep(&self) {
        self.awake.store(false, SeqCst);
    }

    pub(crate) fn has_work(&self) -> bool {
        self.work.load(SeqCst) || self.signalled.load(SeqCst)
    }

    pub(crate) fn take_work(&self) -> bool {
        self.work.load(SeqCst) && self.work.swap(false, SeqCst)
    }

    pub(crate) fn take_signalled(&self) -> bool {
        self.signalled.load(SeqCst) && self.signalled.swap(false, SeqCst)
    }

    pub(crate) fn signalled(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.signalled)
    }

    /// Returns the descriptor that signal handlers write to. `None` once the reactor is gone.
    pub(crate) fn wake_fd(&self) -> Option<Arc<WakeFd>> {
        lock(&self.wake).clone()
    }

    pub(crate) fn push_job(&self, job: J) {
        let refused = {
            let mut queues = lock(&self.queues);
            if self.is_closed() {
                Some(job)
            } else {
                queues.jobs.push_back(job);
                None
            }
        };
        match refused {
            Some(job) => drop(job), // runs foreign code, so not under the lock
            None => self.wake(),
        }
    }

    /// Takes the jobs, and leaves the empty queue `into` in their place. Returns the number of tasks.
    pub(crate) fn take_jobs(&self, into: &mut VecDeque<J>) -> usize {
        let mut queues = lock(&self.queues);
        mem::swap(into, &mut queues.jobs);
        queues.tasks.len()
    }

    /// Puts jobs that a panic left over back to the front.
    pub(crate) fn put_back(&self, rest: &mut VecDeque<J>) {
        let mut queues = lock(&self.queues);
        rest.append(&mut queues.jobs);
        mem::swap(rest, &mut queues.jobs);
    }

    /// Queues a woken task. A task that is dropped here, after the reactor, no longer has a future.
    pub(crate) fn push_task(&self, runnable: Runnable) {
        lock(&self.queues).tasks.push_back(runnable);
        self.wake();
    }

    pub(crate) fn pop_task(&self) -> Option<Runnable> {
        lock(&self.queues).tasks.pop_front()
    }

    pub(crate) fn tasks_waiting(&self) -> usize {
        lock(&self.queues).tasks.len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// Refuses new jobs, because the reactor is being dropped. Returns the remaining jobs to drop.
    pub(crate) fn close(&self) -> VecDeque<J> {
        let jobs = {
            let mut queues = lock(&self.queues);
            self.closed.store(true, SeqCst);
            mem::take(&mut queues.jobs)
        };
        drop(lock(&self.wake).take());
        jobs
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The waker of `block_on`: sets a flag and wakes the loop.
pub(crate) struct WakerFlag<J> {
    woken: AtomicBool,
    shared: Arc<Shared<J>>,
}

impl<J> WakerFlag<J> {
    /// Makes a flag that is set, because the first poll needs no wake-up.
    pub(crate) fn new(shared: Arc<Shared<J>>) -> Arc<Self> {
        Arc::new(Self { woken: AtomicBool::new(true), shared })
    }

    pub(crate) fn take(&self) -> bool {
        self.woken.load(SeqCst) && self.woken.swap(false, SeqCst)
    }
}

impl<J: Send + 'static> Wake for WakerFlag<J> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, SeqCst) {
            self.shared.wake();
        }
    }
}
