//! Runs a call in its own thread, as a future.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use procession_core::driver::{FirstPanic, Reason};

/// Starts a thread for `call`, and returns a future of its result.
pub(super) fn in_thread<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> io::Result<impl Future<Output = io::Result<T>>> {
    let result = Arc::new(Mutex::new(ThreadResult { returned: None, waker: None }));
    let theirs = Arc::clone(&result);
    let thread = thread::Builder::new().name("procession-call".to_owned());
    let started = thread.spawn(move || {
        let called = catch_unwind(AssertUnwindSafe(call));
        deliver(&theirs, called.map_err(panicked));
    });
    started.map_err(|reason| no_thread(&reason))?;
    Ok(async move { receive(&result).await })
}

/// Where a thread leaves the result of its call.
struct ThreadResult<T> {
    returned: Option<io::Result<T>>,
    waker: Option<Waker>,
}

fn deliver<T>(result: &Mutex<ThreadResult<T>>, called: io::Result<T>) {
    let waker = {
        let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
        result.returned = Some(called);
        result.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

async fn receive<T>(result: &Mutex<ThreadResult<T>>) -> io::Result<T> {
    poll_fn(|context| {
        let waker = context.waker().clone();
        let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
        match result.returned.take() {
            Some(called) => Poll::Ready(called),
            None => {
                let old = result.waker.replace(waker);
                drop(result);
                drop(old);
                Poll::Pending
            }
        }
    })
    .await
}

/// Makes an error of a panic, and stops the panic.
fn panicked(panic: Box<dyn Any + Send>) -> io::Error {
    let message = panic.downcast_ref::<&str>().copied();
    let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = message.map_or_else(String::new, |message| format!(": {message}"));
    let text = format!("the call in a thread of its own panicked{message}");
    FirstPanic::discard(panic);
    io::Error::other(text)
}

/// Adds what failed to the bare reason, "Resource temporarily unavailable".
fn no_thread(reason: &io::Error) -> io::Error {
    let text = format!("cannot start a thread for the call: {}", Reason(reason));
    io::Error::new(reason.kind(), text)
}
