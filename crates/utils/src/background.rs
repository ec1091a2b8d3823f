//! [`Background`]: a loop on a thread of its own, for programs that have another loop or none.
//!
//! ARCHITECTURE.md has the model: requests in a mailbox, results in one-shots, bytes in queues.

mod actor;
mod byte_queue;
mod child;
pub(crate) mod error;
mod input;
mod mailbox;
mod original_cell;
mod output;
mod pending;
mod tasks;
mod thread;

use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread::JoinHandle;

use procession_core::Failed;
use procession_core::driver::{Answer, FirstPanic, Reply};
use procession_process_transport::{ChildError, Command, SpawnProcess};
use procession_reactor::Handle;

pub use self::child::BackgroundChild;
pub use self::error::BackgroundError;
pub use self::input::BackgroundInput;
pub use self::output::BackgroundOutput;
pub use self::pending::InBackground;
use self::pending::Place;
use self::tasks::LoopContext;
use self::thread::{Message, SharedLoop, Started, answer};
use crate::{Outcome, OutputError, OutputLine, Run};

/// A loop on a thread of its own, which runs programs and children for any thread and executor.
///
/// It is for programs on tokio, smol or another executor, and for programs without any. They need
/// no bridge: what it returns is a future that any executor can await, and has a
/// [`wait`](InBackground::wait) for threads that block. The value is cheap to clone, and can be
/// sent and shared. One background serves a whole program.
///
/// # Drops and panics
///
/// Dropping a future cancels its work: the group of a run is terminated, the future of a call is
/// dropped on the loop's thread.
///
/// Dropping the last handle stops the loop. What still waits fails with
/// [`BackgroundError::Stopped`] or its like, and is cancelled: the groups of runs, and children that
/// are [killed on drop](Command::kill_on_drop), get TERM and their grace. Other children of the
/// loop that are killed on drop get KILL. The drop waits until all of them have ended: at most the
/// longest [`kill_grace`](Run::kill_grace) and a second. On the loop's own thread it does not wait.
/// [`shutdown`](Self::shutdown) is the async form.
///
/// A panic of a call fails this call. A panic of a callback fails what it concerns. The background
/// runs on.
///
/// # The end of the program
///
/// A background installs no signal handler. Its children end with the program after
/// [`end_children_with_program`](procession_process_transport::end_children_with_program), as those
/// of a thread without a loop do. Without it, a return from `main` that has not dropped the
/// background, and a signal that ends the program, leave them to the kernel: on Linux it kills the
/// programs of runs, unless [`outlive_parent`](Run::outlive_parent) was set.
///
/// In a forked copy of the process nothing of this works: what is asked of the background there
/// fails with [`BackgroundError::Stopped`], and drops do nothing.
///
/// # Examples
///
/// ```
/// use procession::{Background, Run};
/// use std::time::Duration;
///
/// # fn block_on<T>(future: impl Future<Output = T>) -> T { futures_lite::future::block_on(future) }
/// // At the start of the program.
/// let children = Background::start()?;
///
/// // In a handler, on any executor.
/// let handler = async {
///     let run = Run::new("tr").args(["a-z", "A-Z"]).stdin("hello\n");
///     let upper = children.run(run.timeout(Duration::from_secs(5)).check()).await?;
///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(upper.stdout)
/// };
/// assert_eq!(block_on(handler).unwrap(), "HELLO\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "dropping the last handle stops the loop"]
pub struct Background(Arc<Owner>);

/// What the handles share. Its drop ends the loop.
struct Owner {
    shared: Arc<SharedLoop>,
    at: Place,
    /// `None` once it was joined.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Background {
    /// Starts a thread with a loop.
    ///
    /// # Errors
    ///
    /// The system has no threads or no descriptors left.
    pub fn start() -> io::Result<Self> {
        let Started { shared, place, thread } = thread::start()?;
        Ok(Self(Arc::new(Owner { shared, at: place, thread: Mutex::new(Some(thread)) })))
    }

    /// Runs a program, and gives its outcome.
    ///
    /// The program starts on the loop's thread, before the result is polled. Dropping the result
    /// terminates the program's group in the background.
    ///
    /// # Errors
    ///
    /// As for [`Run::start`]; [`OutputError::Background`] if the background was stopped or a
    /// callback of the run panicked.
    pub fn run<F>(&self, run: Run<F>) -> InBackground<Outcome, OutputError>
    where
        F: FnMut(OutputLine) + Send + 'static,
    {
        let command = Arc::new(run.command_line());
        let gone = move |error| OutputError::Background { command: command.to_string(), error };
        let lost = gone.clone();
        self.begin(
            move |context, reply| {
                let running = context.start(run);
                context.spawn(answer(reply, async move {
                    running.await.map_err(|failed| match failed {
                        Failed::Error(error) => error,
                        // Its promise is dropped if one of its callbacks panics.
                        Failed::Abandoned => {
                            let message = "a callback of the run".to_owned();
                            lost(BackgroundError::Panicked { message })
                        }
                        _ => lost(BackgroundError::Stopped),
                    })
                }));
            },
            move || gone(BackgroundError::Stopped),
        )
    }

    /// Calls `call` on the loop's thread, and runs the future that it returns there.
    ///
    /// Neither the future nor what it uses needs to be `Send`. Here is the whole library: a
    /// protocol, a terminal, a connection. The future must not block, because all work of the
    /// background would stand still.
    ///
    /// # Errors
    ///
    /// [`BackgroundError`]: the call or its future panicked, or the background was stopped.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Background, run_all};
    ///
    /// let background = Background::start()?;
    /// let sizes = background.call(|_handle| async {
    ///     let all = run_all(["date", "true"], 2).all().await.unwrap();
    ///     all.into_iter().map(|one| one.map(|outcome| outcome.stdout.len())).collect::<Vec<_>>()
    /// });
    /// let sizes = sizes.wait()?;
    /// assert!(sizes[0].as_ref().unwrap() > sizes[1].as_ref().unwrap());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn call<T, F>(&self, call: impl FnOnce(Handle) -> F + Send + 'static) -> InBackground<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        self.begin(
            |context, reply| {
                let handle = context.handle.clone();
                let mut future: Option<Pin<Box<F>>> = None;
                let mut call = Some(call);
                let result = std::future::poll_fn(move |context| {
                    let polled = catch_unwind(AssertUnwindSafe(|| {
                        let future = match (&mut future, call.take()) {
                            (Some(future), _) => future,
                            (none, Some(call)) => none.insert(Box::pin(call(handle.clone()))),
                            // The call panicked, and that was the result.
                            (None, None) => return Poll::Pending,
                        };
                        future.as_mut().poll(context)
                    }));
                    match polled {
                        Ok(polled) => polled.map(Ok),
                        Err(panic) => Poll::Ready(Err(panicked(panic))),
                    }
                });
                context.spawn(answer(reply, result));
            },
            || BackgroundError::Stopped,
        )
    }

    /// Starts a child whose outputs are streams and whose inputs can be awaited.
    ///
    /// # Errors
    ///
    /// [`ChildError::Spawn`], or [`ChildError::ReactorGone`] if the background was stopped.
    pub fn spawn_child(
        &self,
        command: impl Into<Command>,
    ) -> InBackground<BackgroundChild, ChildError> {
        let command = command.into();
        let at = self.0.at;
        let program = command.get_program().to_owned();
        self.begin(
            move |context, reply| {
                let spawned = match context.handle.spawn_child(&command) {
                    Ok(child) => Ok(BackgroundChild::begin(context, child, &command, at)),
                    Err(error) => Err(error.into()),
                };
                // If nobody waits any more, the child is dropped.
                drop(reply.send(spawned));
            },
            move || ChildError::ReactorGone { program: program.clone() },
        )
    }

    /// Stops the loop, and waits until its groups have ended and its thread is gone.
    ///
    /// It is the async form of the drop of the last handle. The other handles then have a
    /// background that is stopped. On the background's own loop it never returns, because the stop
    /// drops it.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Background, Run};
    ///
    /// # fn block_on<T>(future: impl Future<Output = T>) -> T { futures_lite::future::block_on(future) }
    /// let background = Background::start()?;
    /// let slow = background.run(Run::new("sleep").arg("600"));
    /// let stopped = block_on(async {
    ///     background.shutdown().await;
    ///     slow.await
    /// });
    /// let stopped = stopped.unwrap_err().to_string();
    /// assert_eq!(stopped, "sleep 600 gave no outcome: the background loop has stopped");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn shutdown(self) {
        if self.0.at.original.is_copy() {
            return;
        }
        let over = self.0.shared.over();
        self.0.shared.inbox.send(Message::Stop);
        // It comes as the drop of the other side.
        over.await.ok();
        self.0.join();
    }

    /// Asks the loop to begin something, unless nobody waits for it by then.
    fn begin<T: Send + 'static, E: Send + 'static>(
        &self,
        begin: impl FnOnce(&LoopContext, Reply<Result<T, E>>) + Send + 'static,
        gone: impl Fn() -> E + Send + Sync + 'static,
    ) -> InBackground<T, E> {
        let (reply, answer) = Answer::new();
        self.0.shared.inbox.send(Message::Begin(Box::new(move |context| {
            if reply.is_wanted() {
                begin(context, reply);
            }
        })));
        InBackground::new(answer, self.0.at, gone)
    }
}

impl Owner {
    fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && !self.at.is_here()
        {
            // Its panics were discarded.
            thread.join().ok();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.at.original.is_copy() {
            // The thread is not there, so it can be neither joined nor detached.
            let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner);
            return mem::forget(thread.take());
        }
        self.shared.inbox.send(Message::Stop);
        self.join();
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").finish_non_exhaustive()
    }
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> BackgroundError {
    let message = FirstPanic::text(&*panic).unwrap_or_default().to_owned();
    FirstPanic::discard(panic);
    BackgroundError::Panicked { message }
}
