//! What becomes a `Deferred`: a future that the loop runs, and a call in a thread of its own.

use std::any::Any;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use procession_core::Deferred;
use procession_core::message::Reason;
use procession_core::panics::discard;

use crate::handle::Handle;

impl Handle {
    /// Runs a future on the reactor, in this thread, and gives its result as a [`Deferred`].
    ///
    /// It is first polled in the next turn. Cancelling or dropping the `Deferred` drops the future.
    /// [`spawn_local`](Self::spawn_local) starts one that nothing cancels.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails as the future does; with `Abandoned` if that panics, or the reactor is
    /// dropped. The panic unwinds out of the loop.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use procession_core::gather;
    /// use procession_reactor::{Handle, Reactor};
    ///
    /// async fn slow(number: u32) -> Result<u32, String> {
    ///     Handle::current().sleep(Duration::from_millis(1)).await;
    ///     Ok(number)
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// let all = gather([1, 2].map(|number| reactor.defer(slow(number))));
    /// assert_eq!(reactor.block_on(all), Ok(vec![1, 2]));
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "from_future")]
    #[doc(alias = "fromCoroutine")]
    #[doc(alias = "fromFuture")]
    #[doc(alias = "ensureDeferred")]
    #[must_use = "dropping it cancels the future: `done` or `detach` lets that go on"]
    pub fn defer<T: 'static, E: Debug + 'static>(
        &self,
        future: impl Future<Output = Result<T, E>> + 'static,
    ) -> Deferred<T, E> {
        let (promise, deferred) = Deferred::new();
        let promise = Rc::new(promise);
        let given = Rc::clone(&promise);
        let task = self.spawn_local(async move { given.complete(future.await) });
        promise.on_cancel(|| task.cancel());
        deferred
    }

    /// Calls `call`, which may block, in a thread of its own, and gives what it returns.
    ///
    /// Each call starts a thread; for thousands of short ones a pool is better. Cancelling or dropping
    /// the `Deferred` does not end the thread: its result is dropped when it comes.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails if no thread can be started, and if `call` panics, with the panic's message;
    /// with `Abandoned` if the reactor is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_reactor::Reactor;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let text = reactor.defer_to_thread(|| std::fs::read_to_string("/proc/self/comm"));
    /// println!("{:?}", reactor.block_on(text)?);
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "deferToThread")]
    #[doc(alias = "spawn_blocking")]
    #[doc(alias = "callInThread")]
    pub fn defer_to_thread<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Deferred<T, io::Error> {
        let answer = Arc::new(Mutex::new(Answer { called: None, waker: None }));
        let theirs = Arc::clone(&answer);
        let thread = thread::Builder::new().name("procession-call".to_owned());
        let started = thread.spawn(move || {
            let called = catch_unwind(AssertUnwindSafe(call));
            put(&theirs, called.map_err(panicked));
        });
        if let Err(reason) = started {
            return Deferred::ready(Err(no_thread(&reason)));
        }
        self.defer(async move { take(&answer).await })
    }
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
    discard(panic);
    io::Error::other(text)
}

/// Says what the bare reason, "Resource temporarily unavailable", is about.
fn no_thread(reason: &io::Error) -> io::Error {
    let text = format!("cannot start a thread for the call: {}", Reason(reason));
    io::Error::new(reason.kind(), text)
}
