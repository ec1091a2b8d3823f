//! The thread of a background: its loop, and the end of both.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, JoinHandle};

use procession_core::driver::{Answer, FirstPanic, Gone, Reason, Reply};
use procession_reactor::{Phase, Reactor, SystemEvent};

use super::mailbox::Mailbox;
use super::original_cell::{Original, OriginalCell};
use super::pending::Place;
use super::tasks::LoopContext;

/// What the loop is asked for.
pub(super) enum Message {
    Begin(Box<dyn FnOnce(&LoopContext) + Send>),
    Stop,
}

/// What a loop and its users share.
pub(super) struct SharedLoop {
    pub(super) inbox: Mailbox<Message>,
    /// Those who wait for the end of the loop; `None` after it.
    waiting: OriginalCell<Option<Vec<Reply<()>>>>,
}

impl SharedLoop {
    /// Returns what is ready when the loop and everything on it has ended.
    pub(super) fn over(&self) -> Answer<()> {
        let (reply, over) = Answer::new();
        if let Some(mut waiting) = self.waiting.lock()
            && let Some(waiting) = &mut *waiting
        {
            waiting.push(reply);
        }
        over
    }
}

/// A loop that has begun.
pub(super) struct Started {
    pub(super) shared: Arc<SharedLoop>,
    pub(super) place: Place,
    pub(super) thread: JoinHandle<()>,
}

/// Starts a thread with a loop.
pub(super) fn start() -> io::Result<Started> {
    let waiting = OriginalCell::new(Some(Vec::new()));
    let shared = Arc::new(SharedLoop { inbox: Mailbox::new(), waiting });
    let end = EndOfThread(Arc::clone(&shared));
    let (reply, made) = Answer::new();
    let thread = thread::Builder::new().name("procession-loop".to_owned());
    let thread = thread.spawn(move || match Reactor::new() {
        Ok(reactor) => {
            drop(reply.send(Ok(())));
            run(reactor.without_signals(), end);
        }
        Err(error) => drop(reply.send(Err(error))),
    });
    let thread = thread.map_err(|reason| no_thread(&reason))?;
    let place = Place { original: Original::default(), thread: thread.thread().id() };
    made.wait().unwrap_or_else(|gone| Err(io::Error::other(gone)))?;
    Ok(Started { shared, place, thread })
}

/// Adds what failed to the bare reason.
fn no_thread(reason: &io::Error) -> io::Error {
    let text = format!("cannot start the thread of a background: {}", Reason(reason));
    io::Error::new(reason.kind(), text)
}

/// Runs the loop until it is stopped, then drops it.
fn run(mut reactor: Reactor, end: EndOfThread) {
    let context = LoopContext::new(reactor.handle());
    let (shared, of_loop) = (Arc::clone(&end.0), context.clone());
    drop(reactor.spawn_local(async move { serve(&shared.inbox, &of_loop).await }));
    let (shared, of_loop) = (Arc::clone(&end.0), context.clone());
    reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, move |_| {
        shared.inbox.close();
        of_loop.end_all();
    });
    // After a panic the loop runs again, and with it all that the panic does not concern.
    while let Err(panic) = catch_unwind(AssertUnwindSafe(|| reactor.run())) {
        FirstPanic::discard(panic);
    }
    end.0.inbox.close();
    // The drop of the reactor waits for the groups that the end of the tasks terminates.
    for drops in [Box::new(|| context.end_all()) as Box<dyn FnOnce()>, Box::new(|| drop(reactor))] {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(drops)) {
            FirstPanic::discard(panic);
        }
    }
}

/// Takes messages until a stop.
async fn serve(inbox: &Mailbox<Message>, context: &LoopContext) {
    while let Some(Message::Begin(begin)) = poll_fn(|waker| inbox.poll_next(waker)).await {
        context.set_busy(inbox.has_more());
        // A panic must not end this task: nobody would take the next message.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| begin(context))) {
            FirstPanic::discard(panic);
        }
    }
    inbox.close();
    context.handle.stop();
}

/// At the end of the thread, however it comes, refuses messages and answers those who wait.
struct EndOfThread(Arc<SharedLoop>);

impl Drop for EndOfThread {
    fn drop(&mut self) {
        self.0.inbox.close();
        let waiting = self.0.waiting.lock().and_then(|mut waiting| waiting.take());
        drop(waiting);
    }
}

/// Awaits `future` and sends its result, unless the receiver is dropped before: then drops it.
pub(super) async fn answer<T: Send + 'static>(reply: Reply<T>, future: impl Future<Output = T>) {
    let mut future = pin!(future);
    let mut watches = false;
    let result = poll_fn(|context| {
        if !watches {
            watches = true;
            let waker = context.waker().clone();
            reply.on_drop(move || waker.wake());
        }
        if !reply.is_wanted() {
            return Poll::Ready(Err(Gone));
        }
        future.as_mut().poll(context).map(Ok)
    });
    if let Ok(result) = result.await {
        drop(reply.send(result));
    }
}
