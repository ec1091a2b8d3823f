//! One output of a child, as a stream.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use procession_protocol::{ChildFd, Process};

use super::shared::SharedState;
use super::tail::OUTPUT_HIGH_BYTES;

/// The data that a child writes to one of its descriptors: a stream of chunks.
///
/// Its drop discards further output, and does not block the child.
#[must_use = "dropping it discards further output"]
pub struct ChildOutput {
    pub(super) fd: ChildFd,
    /// `None` for a descriptor that the parent does not read.
    pub(super) process: Option<Process>,
    pub(super) shared: Rc<SharedState>,
}

impl ChildOutput {
    /// The number of bytes that are kept for a program that does not take them; then the child's
    /// descriptor is paused. For a stderr that the program has not asked for, the number of bytes that are
    /// kept at most.
    pub const HIGH_BYTES: usize = OUTPUT_HIGH_BYTES;

    /// Waits for the next chunk, which is never empty; returns `None` at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Returns how many of its bytes were discarded because the program waited for the child and
    /// nothing read them.
    ///
    /// The missing bytes came after those that are kept, at most
    /// [`HIGH_BYTES`](Self::HIGH_BYTES). For a stderr that the program asked for
    /// late, they came before the first kept byte.
    pub fn skipped_bytes(&self) -> u64 {
        self.shared.0.with(|state| state.outputs.get(&self.fd).map_or(0, |one| one.skipped_bytes))
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

    /// Takes chunks back, which then come first.
    pub(super) fn put_back(&self, chunks: Vec<Bytes>) {
        self.shared.0.with(|state| {
            let output = state.outputs.entry(self.fd).or_default();
            for chunk in chunks.into_iter().rev().filter(|chunk| !chunk.is_empty()) {
                output.bytes += chunk.len();
                output.chunks.push_front(chunk);
            }
        });
    }
}

impl Stream for ChildOutput {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(process) = &self.process else { return Poll::Ready(None) };
        let waker = cx.waker().clone();
        let (chunk, resume, old) = self.shared.0.with(|state| {
            let gone = state.gone;
            let output = state.outputs.entry(self.fd).or_default();
            if let Some(chunk) = output.chunks.pop_front() {
                output.bytes -= chunk.len();
                let resume = output.chunks.is_empty() && mem::take(&mut output.paused);
                return (Poll::Ready(Some(chunk)), resume, None);
            }
            if output.ended || gone {
                return (Poll::Ready(None), false, None);
            }
            (Poll::Pending, false, output.waker.replace(waker))
        });
        drop(old);
        if resume {
            process.resume(self.fd);
        }
        chunk
    }
}

/// Resumes the descriptor: output that nobody reads any more must not block the child.
impl Drop for ChildOutput {
    fn drop(&mut self) {
        let Some(process) = &self.process else { return };
        let (chunks, paused) = self.shared.0.with(|state| {
            let output = state.outputs.entry(self.fd).or_default();
            output.ended = true;
            output.tail = None;
            (mem::take(&mut output.chunks), mem::take(&mut output.paused))
        });
        drop(chunks);
        if paused && process.is_launched_here() {
            process.resume(self.fd);
        }
    }
}

impl fmt::Debug for ChildOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildOutput").field("fd", &self.fd).finish_non_exhaustive()
    }
}
