//! What the parent writes to one descriptor of a child, taken out of it.

use super::error::ChildError;
use super::shared::{Shared, Waiter};
use procession_core::{IntoBytes, WriteError, WriteQueue};
use procession_protocol::{ChildFd, Process};
use std::ffi::OsStr;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

/// An input of a child, made by [`Child::take_input`](crate::Child::take_input).
///
/// Dropping it closes the input once what is queued has gone: of a socketpair the parent's direction,
/// and of a terminal nothing, since to close that is to hang the child up.
#[must_use = "dropping it closes the input"]
pub struct ChildInput {
    pub(super) fd: ChildFd,
    pub(super) process: Process,
    /// For messages.
    pub(super) program: Rc<OsStr>,
    pub(super) shared: Rc<Shared>,
}

impl ChildInput {
    /// Queues data and waits until the queue is no longer full, as
    /// [`Child::write`](crate::Child::write) does.
    ///
    /// # Errors
    ///
    /// The child, or the program, has closed the input, be it while this waits.
    pub async fn write(&mut self, data: impl IntoBytes) -> Result<(), ChildError> {
        let waiter = Waiter::Input(self.fd);
        let written = write(&self.process, &self.shared, self.fd, waiter, data).await;
        written.map_err(|error| ChildError::Write { program: self.program.as_ref().into(), error })
    }
}

/// Queues data at the first poll, then waits for room.
pub(super) async fn write(
    process: &Process,
    shared: &Shared,
    fd: ChildFd,
    waiter: Waiter,
    data: impl IntoBytes,
) -> Result<(), WriteError> {
    process.write_to_child(fd, data)?;
    // The limit that the queue has by now: the program may move it at any time.
    let high_limit =
        || process.write_limits(fd).map_or(WriteQueue::DEFAULT_HIGH_BYTES, |(high, _)| high);
    poll_fn(|cx| {
        if shared.0.with(|state| state.has_lost(fd)) {
            // A write of nothing says why.
            let lost = process.write_to_child(fd, "").err();
            return Poll::Ready(Err(lost.unwrap_or(WriteError::Closed)));
        }
        // A queue above its high limit is above its low one: it will be drained, or lost.
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
