//! [`BackgroundInput`]: one input of a child, written from any executor.

use std::ffi::OsStr;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use procession_core::{IntoBytes, WriteError};
use procession_process_transport::ChildError;

use super::byte_queue::{ByteQueue, ConsumerEnd};

/// An input of a child, made by
/// [`BackgroundChild::take_input`](crate::BackgroundChild::take_input).
///
/// Its drop closes the input once the queued data is written. A terminal stays open, because its
/// close would hang up the child.
#[must_use = "dropping it closes the input"]
pub struct BackgroundInput {
    pub(super) queue: Arc<ByteQueue>,
    /// For messages.
    program: Arc<OsStr>,
}

impl BackgroundInput {
    pub(super) fn new(program: Arc<OsStr>) -> Self {
        Self { queue: Arc::new(ByteQueue::new()), program }
    }

    /// Queues data, then waits while the queue is full: returns at once if at most 256 KiB are
    /// queued for the loop, else when the loop has taken them. The loop takes no more than the
    /// child's descriptor and its write queue have room for.
    ///
    /// The first poll queues the data; a later drop of the future does not remove it.
    ///
    /// # Errors
    ///
    /// The child or the program has closed the input, or the background was stopped; before the
    /// call or during the wait. A loss that comes later is the error of the next call.
    pub async fn write(&mut self, data: impl IntoBytes) -> Result<(), ChildError> {
        self.queue.push([data.into_bytes()]).map_err(|error| self.error(error))?;
        let room = poll_fn(|context| self.queue.poll_room(context)).await;
        match room {
            Ok(_) | Err(ConsumerEnd::Whole) => Ok(()),
            Err(ConsumerEnd::Early(reason)) => Err(self.error(reason)),
        }
    }

    /// Closes the input, and waits until the loop has taken all queued data.
    ///
    /// # Errors
    ///
    /// The input was closed, or the background stopped, before the data was taken.
    #[doc(alias = "shutdown")]
    pub async fn close(self) -> Result<(), ChildError> {
        self.queue.finish();
        match poll_fn(|context| self.queue.poll_end(context)).await {
            ConsumerEnd::Whole => Ok(()),
            ConsumerEnd::Early(reason) => Err(self.error(reason)),
        }
    }

    fn error(&self, error: WriteError) -> ChildError {
        ChildError::Write { program: self.program.as_ref().into(), error }
    }
}

impl Drop for BackgroundInput {
    fn drop(&mut self) {
        self.queue.finish();
    }
}

impl fmt::Debug for BackgroundInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundInput").finish_non_exhaustive()
    }
}
