//! A call that runs in a thread of its own, as a future.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use procession_core::driver::{FirstPanic, Reason};

/// Starts a thread for `call`; returns a future of its result.
pub(super) fn in_thread<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> io::Result<impl Future<Output = io::Result<T>>> {
    let answer = Arc::new(Mutex::new(Answer { called: None, waker: None }));
    let theirs = Arc::clone(&answer);
    let thread = thread::Builder::new().name("procession-call".to_owned());
    let started = thread.spawn(move || {
        let called = catch_unwind(AssertUnwindSafe(call));
        put(&theirs, called.map_err(panicked));
    });
    started.map_err(|reason| no_thread(&reason))?;
    Ok(async move { take(&answer).await })
}

/// Where a thread leaves what its call has come to.
struct Answer<T> {
    called: Option<io::Result<T>>,
    waker: Option<Waker>,
}

fn put<T>(answer: &Mutex<Answer<T>>, called: io::Result<T>) {
    let waker = {
        let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.called = Some(called);
        answer.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

async fn take<T>(answer: &Mutex<Answer<T>>) -> io::Result<T> {
    poll_fn(|context| {
        let waker = context.waker().clone();
        let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
        match answer.called.take() {
            Some(called) => Poll::Ready(called),
            None => {
                let old = answer.waker.replace(waker);
                drop(answer);
                drop(old);
                Poll::Pending
            }
        }
    })
    .await
}

/// Makes an error of a panic, which goes no further.
fn panicked(panic: Box<dyn Any + Send>) -> io::Error {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => format!("the call in a thread of its own panicked: {text}"),
        (None, Some(text)) => format!("the call in a thread of its own panicked: {text}"),
        (None, None) => "the call in a thread of its own panicked".to_owned(),
    };
    FirstPanic::discard(panic);
    io::Error::other(text)
}

/// Says what the bare reason, "Resource temporarily unavailable", is about.
fn no_thread(reason: &io::Error) -> io::Error {
    let text = format!("cannot start a thread for the call: {}", Reason(reason));
    io::Error::new(reason.kind(), text)
}
