//! [`InBackground`]: the result of what a background does, for any executor or a thread that blocks.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use procession_core::driver::{Answer, Gone};

use super::original_cell::Original;
use crate::background::error::BackgroundError;

/// The result of what a [`Background`](crate::Background) does: a future that any executor can
/// await.
///
/// The work has begun before the first poll. Dropping this value cancels it.
#[must_use = "dropping it cancels what the background does"]
pub struct InBackground<T, E = BackgroundError> {
    answer: Option<Answer<Result<T, E>>>,
    at: Place,
    /// Makes the error of a background that is gone.
    gone: Box<dyn Fn() -> E + Send + Sync>,
}

/// Where a loop is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) original: Original,
    pub(super) thread: ThreadId,
}

impl Place {
    /// Returns whether the calling thread runs the loop.
    pub(super) fn is_here(self) -> bool {
        thread::current().id() == self.thread && !self.original.is_copy()
    }
}

impl<T, E> InBackground<T, E> {
    pub(super) fn new(
        answer: Answer<Result<T, E>>,
        at: Place,
        gone: impl Fn() -> E + Send + Sync + 'static,
    ) -> Self {
        Self { answer: Some(answer), at, gone: Box::new(gone) }
    }

    /// Blocks this thread until there is a result. Inside an async function, await the value
    /// instead.
    ///
    /// # Errors
    ///
    /// Those of the future.
    ///
    /// # Panics
    ///
    /// On the background's own thread, whose loop would wait for itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Background, Run};
    ///
    /// let background = Background::start()?;
    /// let date = background.run(Run::new("date").arg("+%Y").check()).wait()?;
    /// println!("it is {}", date.stdout_utf8()?.trim());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn wait(mut self) -> Result<T, E> {
        assert!(
            !self.at.is_here(),
            "`wait` would block the background's own loop for ever: await the value instead"
        );
        if self.at.original.is_copy() {
            return Err((self.gone)());
        }
        let waited = self.answer.take().map_or(Err(Gone), Answer::wait);
        waited.unwrap_or_else(|Gone| Err((self.gone)()))
    }
}

impl<T, E> Future for InBackground<T, E> {
    type Output = Result<T, E>;

    /// # Panics
    ///
    /// Never; polled after it was ready, it is ready with the error of a stopped background.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.at.original.is_copy() {
            return Poll::Ready(Err((self.gone)()));
        }
        let Some(answer) = &mut self.answer else { return Poll::Ready(Err((self.gone)())) };
        let answered = Pin::new(answer).poll(context);
        answered.map(|answered| answered.unwrap_or_else(|Gone| Err((self.gone)())))
    }
}

impl<T, E> Drop for InBackground<T, E> {
    fn drop(&mut self) {
        if self.at.original.is_copy() {
            // Its lock may be held for ever in the copy.
            mem::forget(self.answer.take());
        }
    }
}

impl<T, E> fmt::Debug for InBackground<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InBackground").finish_non_exhaustive()
    }
}
