//! One value that a thread passes to another one, which waits for it as a future or by blocking.
//!
//! Model: the slot is *waiting* until the sender answers or is dropped, or the receiver is dropped.
//! Each of these three ends the waiting, once; what comes later has no effect. Every step is one
//! change under a mutex. Foreign code (wakers, the hook, values) is called and dropped while the
//! mutex is free.
//!
//! It is for one value. It does not run on a loop: [`Deferred`](crate::Deferred) is the result that
//! stays on its thread and takes callbacks.

use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::thread::{self, Thread};
use crate::sync::{Mutex, MutexGuard};

/// The receiving side: a future of any executor. Its drop is reported to the [`Reply`].
///
/// Polled after it was ready, it is ready with [`Gone`].
///
/// # Examples
///
/// ```
/// use procession::driver::core::Answer;
/// use std::thread;
///
/// let (reply, answer) = Answer::new();
/// let other = thread::spawn(move || reply.send(6 * 7));
/// assert_eq!(answer.wait(), Ok(42));
/// # assert_eq!(other.join().unwrap(), Ok(()));
/// ```
#[must_use = "dropping it tells the sender that nobody waits"]
pub struct Answer<T>(Arc<Slot<T>>);

/// The sending side. If it is dropped without a value, the receiver gets [`Gone`].
///
/// # Examples
///
/// ```
/// use procession::driver::core::{Answer, Gone};
///
/// let (reply, answer) = Answer::<i32>::new();
/// drop(reply);
/// assert_eq!(answer.wait(), Err(Gone));
/// ```
#[must_use = "dropping it leaves the receiver without a value"]
pub struct Reply<T>(Arc<Slot<T>>);

/// The sender was dropped without a value, or the value was received before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sender was dropped without an answer")]
pub struct Gone;

/// Has the kind `BrokenPipe`, and keeps the error.
impl From<Gone> for io::Error {
    fn from(error: Gone) -> Self {
        Self::new(io::ErrorKind::BrokenPipe, error)
    }
}

struct Slot<T>(Mutex<SlotState<T>>);

enum SlotState<T> {
    Waiting {
        waker: Option<Waker>,
        /// Called when the receiver is dropped.
        on_drop: Option<OnDrop>,
    },
    Answered(T),
    /// Nothing will come: the sender is gone, or the value was received.
    Spent,
    /// The receiver is gone.
    Unwanted,
}

type OnDrop = Box<dyn FnOnce() + Send>;

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, SlotState<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the waiting. Returns the value if it came too late.
    fn settle(&self, end: SlotState<T>) -> Option<T> {
        let mut state = self.lock();
        if !matches!(&*state, SlotState::Waiting { .. }) {
            drop(state);
            return match end {
                SlotState::Answered(value) => Some(value),
                _ => None,
            };
        }
        let before = mem::replace(&mut *state, end);
        drop(state);
        if let SlotState::Waiting { waker: Some(waker), .. } = before {
            waker.wake();
        }
        None
    }
}

impl<T> Answer<T> {
    /// Makes both sides.
    pub fn new() -> (Reply<T>, Self) {
        let state = SlotState::Waiting { waker: None, on_drop: None };
        let slot = Arc::new(Slot(Mutex::new(state)));
        (Reply(Arc::clone(&slot)), Self(slot))
    }

    /// Blocks this thread until the value is there.
    ///
    /// # Errors
    ///
    /// [`Gone`] if the sender was dropped without a value.
    pub fn wait(mut self) -> Result<T, Gone> {
        let parked = Arc::new(Parked(thread::current()));
        let waker = Waker::from(parked);
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(received) => return received,
                // It may return without a wake-up, so the loop looks again.
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, Gone>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Cloning a waker runs foreign code, so not under the lock.
        let mut new: Option<Waker> = None;
        loop {
            let mut state = self.0.lock();
            match &mut *state {
                SlotState::Waiting { waker: Some(known), .. }
                    if known.will_wake(context.waker()) =>
                {
                    return Poll::Pending;
                }
                SlotState::Waiting { waker, .. } => {
                    if let Some(new) = new.take() {
                        let old = waker.replace(new);
                        drop(state);
                        drop(old);
                        return Poll::Pending;
                    }
                }
                SlotState::Answered(_) | SlotState::Spent | SlotState::Unwanted => {
                    let received = match mem::replace(&mut *state, SlotState::Spent) {
                        SlotState::Answered(value) => Ok(value),
                        _ => Err(Gone),
                    };
                    return Poll::Ready(received);
                }
            }
            drop(state);
            new = Some(context.waker().clone());
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        let before = mem::replace(&mut *self.0.lock(), SlotState::Unwanted);
        if let SlotState::Waiting { on_drop: Some(call), waker } = before {
            drop(waker);
            call();
        }
    }
}

impl<T> Reply<T> {
    /// Passes the value to the receiver.
    ///
    /// # Errors
    ///
    /// The value, if the receiver was dropped.
    pub fn send(self, value: T) -> Result<(), T> {
        self.0.settle(SlotState::Answered(value)).map_or(Ok(()), Err)
    }

    /// Returns whether the receiver still waits.
    pub fn is_wanted(&self) -> bool {
        matches!(&*self.0.lock(), SlotState::Waiting { .. })
    }

    /// Has `call` called, once, if the receiver is dropped before it has a value. If it was dropped
    /// already, calls it at once.
    ///
    /// The receiver's thread calls it, inside the drop. A second call replaces the first one.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::driver::core::Answer;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use std::sync::Arc;
    ///
    /// let (reply, answer) = Answer::<i32>::new();
    /// let given_up = Arc::new(AtomicBool::new(false));
    /// let set = Arc::clone(&given_up);
    /// reply.on_drop(move || set.store(true, Ordering::SeqCst));
    /// drop(answer);
    /// assert!(given_up.load(Ordering::SeqCst) && !reply.is_wanted());
    /// ```
    pub fn on_drop(&self, call: impl FnOnce() + Send + 'static) {
        let mut call: Option<OnDrop> = Some(Box::new(call));
        let is_unwanted = match &mut *self.0.lock() {
            SlotState::Waiting { on_drop, .. } => {
                mem::swap(on_drop, &mut call);
                false
            }
            state => matches!(state, SlotState::Unwanted),
        };
        match call {
            Some(call) if is_unwanted => call(),
            replaced => drop(replaced),
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        // After `send` this has no effect.
        self.0.settle(SlotState::Spent);
    }
}

/// Wakes a thread that blocks.
struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("is_wanted", &self.is_wanted()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
