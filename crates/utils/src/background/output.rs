//! [`BackgroundOutput`]: one output of a child, as a stream for any executor.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use procession_core::WriteError;

use super::byte_queue::{ByteQueue, ConsumerEnd};

/// The data that a child of a background writes to one of its descriptors: a stream of chunks.
///
/// A slow consumer slows the child down: the child's descriptor is paused when at most 1.5 MiB wait
/// for the consumer, all in all.
/// Its drop discards further output, and does not block the child.
#[must_use = "dropping it discards further output"]
pub struct BackgroundOutput {
    pub(super) queue: Arc<ByteQueue>,
    /// The chunks that were taken out of the queue.
    taken: VecDeque<Bytes>,
}

impl BackgroundOutput {
    pub(super) fn new() -> Self {
        Self { queue: Arc::new(ByteQueue::new()), taken: VecDeque::new() }
    }

    /// An output that has ended, for a descriptor that the parent does not read.
    pub(super) fn none() -> Self {
        let none = Self::new();
        none.queue.finish();
        none
    }

    /// Waits for the next chunk, which is never empty; returns `None` at the end, and when the
    /// background stops.
    pub async fn next(&mut self) -> Option<Bytes> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Waits for the end and returns everything up to it, in one buffer.
    #[doc(alias = "read_to_end")]
    pub async fn collect(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(chunk) = self.next().await {
            all.extend_from_slice(&chunk);
        }
        all
    }
}

impl Stream for BackgroundOutput {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(chunk) = self.taken.pop_front() {
                return Poll::Ready(Some(chunk));
            }
            match self.queue.poll_take(context) {
                Poll::Ready(Some(chunks)) => self.taken = chunks,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for BackgroundOutput {
    fn drop(&mut self) {
        self.queue.end(ConsumerEnd::Early(WriteError::Closed));
    }
}

impl fmt::Debug for BackgroundOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundOutput").finish_non_exhaustive()
    }
}
