//! Runs a call in its own thread, as a future.

use std::any::Any;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use procession_core::driver::{Answer, FirstPanic, Reason};

/// Starts a thread for `call`, and returns a future of its result.
pub(super) fn in_thread<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> io::Result<impl Future<Output = io::Result<T>>> {
    let (reply, answer) = Answer::new();
    let thread = thread::Builder::new().name("procession-call".to_owned());
    let started = thread.spawn(move || {
        let called = catch_unwind(AssertUnwindSafe(call));
        // If nobody waits any more, the result is dropped here.
        drop(reply.send(called.map_err(panicked)));
    });
    started.map_err(|reason| no_thread(&reason))?;
    Ok(async move { answer.await.unwrap_or_else(|gone| Err(io::Error::other(gone))) })
}

/// Makes an error of a panic, and stops the panic.
fn panicked(panic: Box<dyn Any + Send>) -> io::Error {
    let message = FirstPanic::text(&*panic).map_or_else(String::new, |text| format!(": {text}"));
    let text = format!("the call in a thread of its own panicked{message}");
    FirstPanic::discard(panic);
    io::Error::other(text)
}

/// Adds what failed to the bare reason, "Resource temporarily unavailable".
fn no_thread(reason: &io::Error) -> io::Error {
    let text = format!("cannot start a thread for the call: {}", Reason(reason));
    io::Error::new(reason.kind(), text)
}
