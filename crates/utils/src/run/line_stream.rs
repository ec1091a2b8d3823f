//! [`RunLines`]: the lines of a run as a stream.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use procession_core::driver::WithCell;
use procession_core::{Deferred, Failed};
use procession_protocol::{ChildFd, Process};

use crate::{Outcome, OutputError, OutputLine};

/// The lines of a program that runs: a stream, made by [`Run::lines`](crate::Run::lines).
///
/// Dropping it terminates the program, as dropping the result of [`Run::start`](crate::Run::start) does.
#[must_use = "dropping it terminates the program"]
pub struct RunLines {
    lines: Rc<SharedLines>,
    run: RunResult,
}

/// The end of the run.
enum RunResult {
    Awaited(Deferred<Outcome, OutputError>),
    There(Option<Result<Outcome, Failed<OutputError>>>),
}

#[derive(Default)]
pub(super) struct SharedLines(WithCell<Waiting>);

/// What waits for the program to take it.
#[derive(Default)]
struct Waiting {
    lines: VecDeque<OutputLine>,
    bytes: usize,
    /// The outputs are paused.
    is_paused: bool,
    /// Nobody reads further lines.
    is_discarding: bool,
    /// The process of the present attempt.
    process: Option<Process>,
    waker: Option<Waker>,
}

/// The outputs of a run.
const OUTPUTS: [ChildFd; 2] = [ChildFd::STDOUT, ChildFd::STDERR];

impl RunLines {
    pub(super) fn new(lines: Rc<SharedLines>, run: Deferred<Outcome, OutputError>) -> Self {
        Self { lines, run: RunResult::Awaited(run) }
    }

    /// How many bytes of lines wait before the outputs are paused; each line counts some 50 bytes more than
    /// its text. One read of an output may exceed it.
    pub const HIGH_BYTES: usize = 256 * 1024;

    /// Waits for the next line; returns `None` when the run is over, whatever its result is.
    pub async fn next(&mut self) -> Option<OutputLine> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Waits for the result of the run. Lines that were not taken are discarded.
    ///
    /// # Errors
    ///
    /// Fails as the run does.
    pub async fn outcome(mut self) -> Result<Outcome, Failed<OutputError>> {
        self.lines.discard();
        poll_fn(|context| self.run.poll(context)).await;
        match &mut self.run {
            RunResult::There(result) => result.take().unwrap_or(Err(Failed::Abandoned)),
            // `poll` has replaced it.
            RunResult::Awaited(_) => Err(Failed::Abandoned),
        }
    }
}

impl RunResult {
    /// Waits until the result is there.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Self::Awaited(run) = self {
            let result = ready!(Pin::new(run).poll(context));
            *self = Self::There(Some(result));
        }
        Poll::Ready(())
    }
}

impl Stream for RunLines {
    type Item = OutputLine;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<OutputLine>> {
        if let Some(line) = self.lines.take(context) {
            return Poll::Ready(Some(line));
        }
        // All lines come before the result.
        ready!(self.run.poll(context));
        Poll::Ready(self.lines.take(context))
    }
}

impl SharedLines {
    pub(super) fn on_started(&self, process: &Process) {
        let old = self.0.with(|waiting| {
            waiting.is_paused = false;
            waiting.process.replace(process.clone())
        });
        drop(old);
    }

    pub(super) fn push(&self, line: OutputLine) {
        let (waker, pausing) = self.0.with(|waiting| {
            if waiting.is_discarding {
                return (None, None);
            }
            waiting.bytes += cost(&line);
            waiting.lines.push_back(line);
            let is_full = waiting.bytes >= RunLines::HIGH_BYTES && !waiting.is_paused;
            waiting.is_paused |= is_full;
            let process = waiting.process.clone().filter(|_| is_full);
            (waiting.waker.take(), process)
        });
        if let Some(process) = pausing {
            OUTPUTS.into_iter().for_each(|fd| process.pause(fd));
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn take(&self, context: &Context<'_>) -> Option<OutputLine> {
        let waker = context.waker().clone();
        let (line, resuming, old) = self.0.with(|waiting| {
            let Some(line) = waiting.lines.pop_front() else {
                return (None, None, waiting.waker.replace(waker));
            };
            waiting.bytes -= cost(&line);
            (Some(line), waiting.resume_if(waiting.lines.is_empty()), None)
        });
        drop(old);
        resume(resuming);
        line
    }

    fn discard(&self) {
        let (lines, resuming) = self.0.with(|waiting| {
            waiting.is_discarding = true;
            (std::mem::take(&mut waiting.lines), waiting.resume_if(true))
        });
        drop(lines);
        resume(resuming);
    }
}

impl Waiting {
    /// Returns the process whose outputs go on, if they are paused.
    fn resume_if(&mut self, has_room: bool) -> Option<Process> {
        let resumes = has_room && std::mem::take(&mut self.is_paused);
        self.process.clone().filter(|_| resumes)
    }
}

/// Returns how much of the memory a line takes; empty ones take some too.
fn cost(line: &OutputLine) -> usize {
    line.len() + size_of::<OutputLine>()
}

fn resume(process: Option<Process>) {
    if let Some(process) = process {
        OUTPUTS.into_iter().for_each(|fd| process.resume(fd));
    }
}

/// Lets the outputs go on: the end of the program must not wait for anybody.
impl Drop for RunLines {
    fn drop(&mut self) {
        self.lines.discard();
    }
}

impl fmt::Debug for RunLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunLines").finish_non_exhaustive()
    }
}
