//! The launch threads of this process.
#![expect(unsafe_code, reason = "a pool that lives as long as the process")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::Thread;

use rustix::io::Errno;

use super::job::LaunchJob;
use super::mail::{MailSender, mail};
use super::orders::{Idle, Order, Orders, THREADS};
use super::thread;
use crate::sys::mailbox::identity;
use crate::sys::this_process::ProcessMark;

/// The launch threads and what they have to do.
pub(crate) struct Pool {
    made_in: ProcessMark,
    orders: Mutex<Orders>,
    /// Set to call a thread that polls.
    called: [AtomicBool; THREADS],
    /// Empty for a thread that could not be started.
    threads: [OnceLock<StartedThread>; THREADS],
}

/// One launch thread.
struct StartedThread {
    /// For its orders.
    socket: MailSender,
    /// Device and inode of the socket: a program may close numbers that it does not know, and open
    /// other files on them.
    identity: (u64, u64),
    thread: Thread,
}

/// The pool of this process, or of the one from which it was forked.
static POOL: AtomicPtr<Pool> = AtomicPtr::new(ptr::null_mut());

/// Returns the pool of this process, and starts it if there is none.
///
/// # Errors
///
/// No thread, memory or descriptor is left; or another thread is starting the pool.
pub(crate) fn pool() -> io::Result<&'static Pool> {
    if let Some(pool) = own() {
        return Ok(pool);
    }
    static STARTING: Mutex<()> = Mutex::new(());
    // It is not waited for: in a forked copy it may be locked for ever.
    let _guard = match STARTING.try_lock() {
        Ok(guard) => guard,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
    };
    if let Some(pool) = own() {
        return Ok(pool);
    }
    let pool: &'static Pool = Box::leak(Box::new(Pool {
        made_in: ProcessMark::new()?,
        orders: Mutex::default(),
        called: Default::default(),
        threads: Default::default(),
    }));
    let mut result = Ok(());
    for index in 0..THREADS {
        if let Err(error) = pool.start(index) {
            result = Err(error);
            break;
        }
    }
    // One thread is enough.
    if pool.len() == 0 {
        result?;
    }
    POOL.store(ptr::from_ref(pool).cast_mut(), Release);
    Ok(pool)
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

    fn start(&'static self, index: usize) -> io::Result<()> {
        let (sender, receiver) = mail()?;
        let identity = identity(&sender)?;
        let next = move |otherwise| self.lock().next(index, otherwise);
        let is_called = move || self.called[index].swap(false, Acquire);
        let thread = thread::start(next, is_called, receiver, &sender)?;
        // It is set once: each index is started once.
        self.threads[index].set(StartedThread { socket: sender, identity, thread }).ok();
        Ok(())
    }

    fn len(&self) -> usize {
        self.threads.iter().take_while(|thread| thread.get().is_some()).count()
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a thread without an order that there is one.
    fn call(&self, thread: Option<(usize, Idle)>) {
        match thread {
            Some((thread, Idle::Polls)) => self.called[thread].store(true, Release),
            Some((thread, Idle::Sleeps)) => {
                if let Some(started) = self.threads[thread].get() {
                    started.thread.unpark();
                }
            }
            None => {}
        }
    }

    /// Makes an asker known, by the socket for its messages.
    pub(crate) fn register(&self, asker: u64, socket: &MailSender) -> Result<(), Errno> {
        for index in 0..self.len() {
            self.order(index, Order::Register(asker), &[socket.as_fd()])
                .map_err(|(error, _)| error)?;
        }
        Ok(())
    }

    /// Forgets an asker: what comes of its launches is ended.
    pub(crate) fn forget(&self, asker: u64) {
        for index in 0..self.len() {
            self.order(index, Order::Forget(asker), &[]).ok(); // without a message it does not fail
        }
    }

    /// Gives an order, with the descriptors that travel with it, to one thread.
    fn order(
        &self,
        index: usize,
        order: Order,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), (Errno, Order)> {
        let mut orders = self.lock();
        if let (false, Some(started)) = (fds.is_empty(), self.threads[index].get()) {
            if identity(&started.socket) != Ok(started.identity) {
                return Err((Errno::NOTSOCK, order));
            }
            if let Err(error) = started.socket.send(0, fds) {
                return Err((error, order));
            }
        }
        let thread = orders.push_own(index, order);
        drop(orders);
        self.call(thread);
        Ok(())
    }

    /// Has a child launched. `given` are the descriptors that travel with it.
    ///
    /// # Errors
    ///
    /// The descriptors cannot be sent; the job comes back.
    pub(crate) fn launch(
        &self,
        job: Box<LaunchJob>,
        given: &[BorrowedFd<'_>],
    ) -> Result<(), (Errno, Option<Box<LaunchJob>>)> {
        if given.is_empty() {
            let thread = self.lock().push_shared(job);
            self.call(thread);
            return Ok(());
        }
        let index = self.lock().least_busy(self.len());
        self.order(index, Order::Launch(job), given).map_err(|(error, order)| match order {
            Order::Launch(job) => (error, Some(job)),
            _ => (error, None),
        })
    }

    /// Takes a launch back; `None` if a thread has begun it.
    pub(crate) fn withdraw(&self, id: u64) -> Option<Box<LaunchJob>> {
        self.lock().withdraw(id)
    }
}
