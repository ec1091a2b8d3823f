//! One input of a child, taken out of its [`Child`](crate::Child).

use std::ffi::OsStr;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use procession_core::driver::WriteQueue;
use procession_core::{IntoBytes, WriteError};
use procession_protocol::{ChildFd, Process};

use super::error::ChildError;
use super::shared::{SharedState, Waiter};

/// An input of a child, made by [`Child::take_input`](crate::Child::take_input).
///
/// Its drop closes the input once the queued data is written. For a socketpair it closes the
/// parent's direction. A terminal stays open, because its close would hang up the child.
#[must_use = "dropping it closes the input"]
pub struct ChildInput {
    pub(super) fd: ChildFd,
    pub(super) process: Process,
    /// For messages.
    pub(super) program: Rc<OsStr>,
    pub(super) shared: Rc<SharedState>,
}

impl ChildInput {
    /// Queues data and waits while the queue is full, as [`Child::write`](crate::Child::write)
    /// does.
    ///
    /// # Errors
    ///
    /// The child or the program closes the input, before the call or during the wait.
    pub async fn write(&mut self, data: impl IntoBytes) -> Result<(), ChildError> {
        let waiter = Waiter::Input(self.fd);
        let written = write(&self.process, &self.shared, self.fd, waiter, data).await;
        written.map_err(|error| ChildError::Write { program: self.program.as_ref().into(), error })
    }
}

/// Queues data at the first poll, then waits for room.
pub(super) async fn write(
    process: &Process,
    shared: &SharedState,
    fd: ChildFd,
    waiter: Waiter,
    data: impl IntoBytes,
) -> Result<(), WriteError> {
    process.write_to_child(fd, data)?;
    // The current limit of the queue: the program may change it at any time.
    let high_limit =
        || process.write_limits(fd).map_or(WriteQueue::DEFAULT_HIGH_BYTES, |(high, _)| high);
    poll_fn(|cx| {
        if shared.0.with(|state| state.has_lost(fd)) {
            // An empty write returns the reason.
            let lost = process.write_to_child(fd, "").err();
            return Poll::Ready(Err(lost.unwrap_or(WriteError::Closed)));
        }
        // A queue above its high limit is also above its low one: a drain or a loss will be
        // reported.
        if process.write_buffered(fd) <= high_limit() {
            return Poll::Ready(Ok(()));
        }
        shared.wait(waiter, cx);
        Poll::Pending
    })
    .await
}

impl Drop for ChildInput {
    fn drop(&mut self) {
        let waker = self.shared.0.with(|state| state.wakers.remove(&Waiter::Input(self.fd)));
        drop(waker);
        self.process.shutdown_write(self.fd);
    }
}

impl fmt::Debug for ChildInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildInput").field("fd", &self.fd).finish_non_exhaustive()
    }
}
