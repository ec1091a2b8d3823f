//! The launch threads of this process.
#![expect(unsafe_code, reason = "a pool that lives as long as the process")]

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};

use super::orders::{Idle, Order, Orders, THREADS};
use super::waiting::{Waiting, now};
use crate::sys::launch::reserved::{Reserved, reserve_for_others};
use crate::sys::process_mutex::ProcessMutex;
use crate::sys::raw;
use crate::sys::this_process::ProcessMark;

/// The signals that the C library uses itself: it reaches every thread by them, for `setuid(2)` and
/// the like (glibc: 32 and 33, musl: 32 to 34).
const LIBRARY_SIGNALS: u64 = 0b111 << 31;

/// The launch threads and what they have to do.
pub(crate) struct Pool {
    made_in: ProcessMark,
    orders: Mutex<Orders>,
    /// Set to call a thread that polls.
    called: [AtomicBool; THREADS],
    /// Empty for a thread that could not be started.
    threads: [OnceLock<Thread>; THREADS],
}

/// The pool of this process, or of the one from which it was forked.
static POOL: AtomicPtr<Pool> = AtomicPtr::new(ptr::null_mut());

/// Returns the pool of this process, and starts it if there is none.
///
/// # Errors
///
/// No thread, memory or descriptor is left.
pub(crate) fn pool() -> io::Result<&'static Pool> {
    if let Some(pool) = own() {
        return Ok(pool);
    }
    static STARTING: ProcessMutex<()> = ProcessMutex::new();
    let _guard = STARTING.lock();
    if let Some(pool) = own() {
        return Ok(pool);
    }
    let pool = Arc::new(Pool {
        made_in: ProcessMark::new()?,
        orders: Mutex::default(),
        called: Default::default(),
        threads: Default::default(),
    });
    let results = [(); THREADS].map(|()| pool.start());
    // One thread is enough.
    if results.iter().all(Result::is_err) {
        results.into_iter().collect::<io::Result<()>>()?;
    }
    // The program has it for ever, as its threads do.
    let pool: &'static Pool = Box::leak(Box::new(pool));
    POOL.store(ptr::from_ref(pool).cast_mut(), Release);
    Ok(pool)
}

/// Makes the spawning socketpairs of the threads now, if these have not started.
pub(crate) fn reserve() -> io::Result<()> {
    if own().is_some() { Ok(()) } else { reserve_for_others(THREADS) }
}

fn own() -> Option<&'static Pool> {
    // SAFETY: null, or a pool that `pool` has leaked: it is never freed, and all of it may be shared.
    let pool: Option<&'static Pool> = unsafe { POOL.load(Acquire).as_ref() };
    pool.filter(|pool| pool.is_own())
}

impl Pool {
    /// Returns whether this process made it; nothing else may be asked of it otherwise.
    pub(crate) fn is_own(&self) -> bool {
        self.made_in.is_own()
    }

    /// Starts the next thread.
    fn start(self: &Arc<Self>) -> io::Result<()> {
        let Some(index) = self.threads.iter().position(|thread| thread.get().is_none()) else {
            return Ok(());
        };
        let reserved = Reserved::take_or_make()?;
        let pool = Arc::clone(self);
        let run = move || {
            reserved.use_on_this_thread();
            pool.serve(index)
        };
        // The thread begins with this mask, so no handler ever runs there.
        let old_mask = raw::set_mask(!LIBRARY_SIGNALS);
        let started = thread::Builder::new().name("procession-launch".to_owned()).spawn(run);
        if let Ok(old_mask) = old_mask {
            raw::set_mask(old_mask).map_err(io::Error::from_raw_os_error)?;
        }
        // It is set once: the pool is started by one thread.
        self.threads[index].set(started?.thread().clone()).ok();
        Ok(())
    }

    /// Launches what is ordered, for ever.
    fn serve(&self, index: usize) {
        let waiting = Waiting::default();
        let next = |otherwise| self.lock().next(index, otherwise);
        let is_called = || self.called[index].swap(false, Acquire);
        loop {
            let launch = waiting.next(&next, &is_called);
            // What it drops is the program's, and may panic. The hook has reported it.
            panic::catch_unwind(AssertUnwindSafe(launch)).ok();
            waiting.on_launched();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a thread do it.
    pub(crate) fn order(&self, id: u64, launch: Order) {
        let since = now();
        let called = self.lock().add(id, since, launch);
        match called {
            Some((thread, Idle::Polls)) => self.called[thread].store(true, Release),
            Some((thread, Idle::Sleeps)) => {
                if let Some(thread) = self.threads[thread].get() {
                    thread.unpark();
                }
            }
            None => {}
        }
    }

    /// Takes an order back; `None` if a thread has begun it.
    pub(crate) fn withdraw(&self, id: u64) -> Option<Order> {
        self.lock().withdraw(id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_panic_ends_no_launch_thread() {
        let pool = pool().unwrap();
        let (sender, done) = mpsc::channel();
        for at in 0..8 {
            let sender = sender.clone();
            let order = move || {
                assert!(at >= 4, "on purpose");
                sender.send(at).unwrap();
            };
            pool.order(u64::MAX - 8 + at, Box::new(order));
        }
        for _ in 4..8 {
            done.recv_timeout(Duration::from_secs(20)).unwrap();
        }
    }
}
