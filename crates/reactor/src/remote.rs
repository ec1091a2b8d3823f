//! The way in from other threads, and from wakers of futures.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use async_task::Runnable;

use crate::handle::Handle;
use crate::wake::WakeFd;

pub(crate) type Job = Box<dyn FnOnce(&Handle) + Send>;

/// Hands calls to a reactor from any thread (Twisted's `callFromThread`).
///
/// Obtained from [`Handle::remote`]. It does not keep the reactor alive: what is handed in after
/// the reactor was dropped is dropped.
///
/// # Examples
///
/// ```
/// use procession::Reactor;
/// use std::thread;
///
/// let mut reactor = Reactor::new()?;
/// let remote = reactor.remote();
/// let other = thread::spawn(move || remote.call(|reactor| reactor.stop()));
/// reactor.run()?;
/// # other.join().unwrap();
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Remote(pub(crate) Arc<Shared>);

impl Remote {
    /// Calls `call` in the reactor's thread, in one of its next turns.
    ///
    /// Calls of one thread run in their order. Its result is dropped there.
    #[doc(alias = "callFromThread")]
    #[doc(alias = "call_from_thread")]
    pub fn call<R>(&self, call: impl FnOnce(&Handle) -> R + Send + 'static) {
        self.0.push_job(Box::new(move |handle| drop(call(handle))));
    }

    /// Tells whether the reactor has been dropped.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// What the loop shares with other threads.
pub(crate) struct Shared {
    jobs: Mutex<Vec<Job>>,
    tasks: Mutex<VecDeque<Runnable>>,
    /// `None` once the reactor is gone: its descriptor is closed, although remotes live on.
    wake: Mutex<Option<Arc<WakeFd>>>,
    /// Something was asked for since the loop last looked.
    work: AtomicBool,
    /// A watched signal has arrived since the loop last looked.
    signalled: Arc<AtomicBool>,
    /// The loop will look at `work` before it waits: no need to wake it.
    awake: AtomicBool,
    closed: AtomicBool,
}

impl Shared {
    pub(crate) fn new(wake: WakeFd) -> Self {
        Self {
            jobs: Mutex::default(),
            tasks: Mutex::default(),
            wake: Mutex::new(Some(Arc::new(wake))),
            work: AtomicBool::new(false),
            signalled: Arc::default(),
            awake: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// Has the loop look at its queues, and ends its wait if it waits.
    pub(crate) fn wake(&self) {
        // The order of the two is what makes it safe: the loop clears `awake` before it looks at
        // `work` for the last time, so one of the two sides sees the other.
        if !self.work.swap(true, SeqCst) && !self.awake.load(SeqCst) {
            self.write();
        }
    }

    /// Ends the wait of whoever waits for the loop, also if work is noted already.
    pub(crate) fn write(&self) {
        let wake = lock(&self.wake).clone();
        if let Some(wake) = wake {
            wake.wake();
        }
    }

    pub(crate) fn set_awake(&self, awake: bool) {
        self.awake.store(awake, SeqCst);
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

    /// What signal handlers write to; `None` once the reactor is gone.
    pub(crate) fn wake_fd(&self) -> Option<Arc<WakeFd>> {
        lock(&self.wake).clone()
    }

    fn push_job(&self, job: Job) {
        let refused = {
            let mut jobs = lock(&self.jobs);
            if self.is_closed() {
                Some(job)
            } else {
                jobs.push(job);
                None
            }
        };
        match refused {
            Some(job) => drop(job), // foreign: not under the lock
            None => self.wake(),
        }
    }

    pub(crate) fn take_jobs(&self) -> Vec<Job> {
        std::mem::take(&mut *lock(&self.jobs))
    }

    /// Puts what a panic left undone back to the front.
    pub(crate) fn put_back(&self, mut rest: Vec<Job>) {
        let mut jobs = lock(&self.jobs);
        rest.append(&mut jobs);
        *jobs = rest;
    }

    /// A task that is dropped here, after the reactor, has no future any more.
    pub(crate) fn push_task(&self, runnable: Runnable) {
        lock(&self.tasks).push_back(runnable);
        self.wake();
    }

    pub(crate) fn pop_task(&self) -> Option<Runnable> {
        lock(&self.tasks).pop_front()
    }

    pub(crate) fn tasks_waiting(&self) -> usize {
        lock(&self.tasks).len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// The reactor is being dropped: nothing is accepted any more. Gives what is left to drop.
    pub(crate) fn close(&self) -> Vec<Job> {
        let jobs = {
            let mut jobs = lock(&self.jobs);
            self.closed.store(true, SeqCst);
            std::mem::take(&mut *jobs)
        };
        drop(lock(&self.wake).take());
        jobs
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The waker of `block_on`: sets a flag, and has the loop look.
pub(crate) struct Flag {
    woken: AtomicBool,
    shared: Arc<Shared>,
}

impl Flag {
    /// Set from the start: the first poll needs no wake-up.
    pub(crate) fn new(shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { woken: AtomicBool::new(true), shared })
    }

    pub(crate) fn take(&self) -> bool {
        self.woken.swap(false, SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, SeqCst) {
            self.shared.wake();
        }
    }
}
