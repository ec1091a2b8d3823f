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
use procession_process_transport::Lines;
use procession_process_transport::driver::ChunkSource;

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

    /// Returns a stream of the lines from here on, with the rules of
    /// [`ChildOutput::lines`](procession_process_transport::ChildOutput::lines). No more than one
    /// chunk and one line are kept besides what the output keeps.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Background, ChildError, Command};
    ///
    /// # fn block_on<T>(future: impl Future<Output = T>) -> T { futures_lite::future::block_on(future) }
    /// let background = Background::start()?;
    /// block_on(async {
    ///     let mut child = background.spawn_child(Command::new("seq").arg("2")).await?;
    ///     let mut lines = child.stdout().lines();
    ///     assert_eq!(lines.next().await.unwrap(), "1");
    ///     assert_eq!(lines.next().await.unwrap(), "2");
    ///     assert!(lines.next().await.is_none());
    ///     drop(lines);
    ///     child.ended().await
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "next_line")]
    #[doc(alias = "read_line")]
    pub fn lines(&mut self) -> Lines<'_, Self> {
        self.read_lines()
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

impl ChunkSource for BackgroundOutput {
    fn put_back(&mut self, chunks: Vec<Bytes>) {
        for chunk in chunks.into_iter().rev().filter(|chunk| !chunk.is_empty()) {
            self.taken.push_front(chunk);
        }
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
