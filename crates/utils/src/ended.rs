//! [`Ended`]: the end of a program that an error left running.
//!
//! On a loop, the loop sends the end through a cell. A blocking run has no loop, so its `Ended` owns
//! the program, and whoever waits reads its outputs and reaps it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread::{self, ThreadId};

use procession_core::driver::Answer;
use procession_core::{Failed, NoError};
use procession_protocol::ExitReason;

use crate::rest::Rest;

/// The end of a program that still runs. Await it on any executor, wait for it, or give it a
/// callback, to get the exit reason.
///
/// It can be sent to other threads. Dropping it does not end the program.
///
/// # After a blocking run
///
/// The program of a [blocking run](crate::Run::output_blocking) has no loop that goes on reading:
/// from the error until [`wait`](Self::wait) it blocks when a pipe is full, and a drop closes its
/// pipes. On Linux it is killed when the thread of the run ends, unless the run says
/// [`outlive_parent`](crate::Run::outlive_parent). Awaiting it starts a thread that waits.
///
/// # Examples
///
/// ```
/// use procession::{OutputError, Run};
///
/// let noisy = Run::new("sh").args(["-c", "echo trouble >&2; exit 3"]).fail_on_stderr();
/// match noisy.output_blocking() {
///     Err(OutputError::UnexpectedStderr { outcome, ended, .. }) => {
///         assert_eq!(outcome.stderr, "trouble\n");
///         let reason = ended.wait().unwrap();
///         assert_eq!(reason.unwrap_err().exit_code(), Some(3));
///     }
///     other => panic!("{other:?}"),
/// }
/// ```
#[must_use = "it is the only way to see how the program ends"]
pub struct Ended(EndSource);

enum EndSource {
    /// The loop of this thread sends the end.
    #[cfg_attr(not(feature = "reactor"), expect(dead_code, reason = "there is no loop"))]
    Loop(Answer<ExitReason>, ThreadId),
    /// The rest of a blocking run.
    Here(Box<Rest>),
    /// A thread waits for the rest of a blocking run.
    Thread(Answer<ExitReason>),
    /// The end was given.
    Spent,
}

/// The exit reason, or [`Failed::Abandoned`] if the reactor was dropped before.
type EndResult = Result<ExitReason, Failed<NoError>>;

impl Ended {
    /// Makes the end that the loop of this thread sends.
    #[cfg(feature = "reactor")]
    pub(crate) fn of_loop(answer: Answer<ExitReason>) -> Self {
        Self(EndSource::Loop(answer, thread::current().id()))
    }

    /// Makes the end of a program that a blocking run leaves running.
    pub(crate) fn of_rest(rest: Rest) -> Self {
        Self(EndSource::Here(Box::new(rest)))
    }

    /// Blocks this thread until the program and its outputs have ended.
    ///
    /// # Errors
    ///
    /// [`Failed::Abandoned`] if the reactor was dropped before, which kills the program.
    ///
    /// # Panics
    ///
    /// On the thread of the loop that runs the program: the loop would stand still for good.
    #[track_caller]
    pub fn wait(self) -> EndResult {
        match self.0 {
            EndSource::Loop(_, thread) if thread == thread::current().id() => panic!(
                "`Ended::wait` blocks the loop that runs the program: await it, or use `done`"
            ),
            EndSource::Loop(answer, _) | EndSource::Thread(answer) => {
                answer.wait().map_err(|_| Failed::Abandoned)
            }
            EndSource::Here(rest) => Ok(rest.wait()),
            EndSource::Spent => Err(Failed::Abandoned),
        }
    }

    /// Starts a thread for the rest of a blocking run.
    fn in_thread(rest: Box<Rest>) -> EndSource {
        let (reply, answer) = Answer::new();
        let thread = thread::Builder::new().name("procession-ended".to_owned());
        // Whoever awaited it may be gone. Without a thread the answer is `Gone`.
        thread.spawn(move || reply.send(rest.wait()).ok()).ok();
        EndSource::Thread(answer)
    }
}

/// Polled after it was ready, it is ready with [`Failed::Abandoned`].
impl Future for Ended {
    type Output = EndResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<EndResult> {
        let source = std::mem::replace(&mut self.0, EndSource::Spent);
        self.0 = match source {
            EndSource::Here(rest) => Self::in_thread(rest),
            source => source,
        };
        let received = match &mut self.0 {
            EndSource::Loop(answer, _) | EndSource::Thread(answer) => {
                ready!(Pin::new(answer).poll(context)).map_err(|_| Failed::Abandoned)
            }
            EndSource::Here(_) | EndSource::Spent => Err(Failed::Abandoned),
        };
        self.0 = EndSource::Spent;
        Poll::Ready(received)
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ended").finish_non_exhaustive()
    }
}

/// It can be sent and shared.
const _: fn() = || {
    fn can_be_sent<T: Send + Sync + 'static>() {}
    can_be_sent::<Ended>();
};
