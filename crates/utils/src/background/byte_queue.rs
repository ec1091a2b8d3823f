//! Bytes on their way from one thread to another one.
//!
//! Model: one producer, one consumer. The producer has room while at most [`HIGH_BYTES`] are in the
//! queue; it may exceed this by what it adds at once. The consumer takes all chunks in one step. The
//! producer's end lets the consumer have what is left. While the queue discards, what a producer adds
//! beyond [`HIGH_BYTES`] is dropped, and the producer never waits. The consumer's end drops what is left, and
//! says why. Each side is woken only if it waits.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use procession_core::WriteError;

use super::original_cell::OriginalCell;

/// The producer waits while more bytes than this are in the queue.
pub(super) const HIGH_BYTES: usize = 256 << 10;

pub(super) struct ByteQueue(OriginalCell<QueueState>);

#[derive(Default)]
struct QueueState {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    /// The producer adds no more.
    is_finished: bool,
    /// The consumer takes no more.
    end: Option<ConsumerEnd>,
    consumer: Option<Waker>,
    producer: Option<Waker>,
    /// The producer waits for room, and not only for the consumer's end.
    producer_is_held: bool,
    /// Drops what is added beyond the limit.
    discards: bool,
}

/// How the consumer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConsumerEnd {
    /// It took everything.
    Whole,
    /// It took a part.
    Early(WriteError),
}

/// The producing side.
impl ByteQueue {
    pub(super) fn new() -> Self {
        Self(OriginalCell::new(QueueState::default()))
    }

    /// Returns how many bytes fit, at least one, or the consumer's end.
    ///
    /// Wakes the task at the consumer's end, also after it was ready.
    pub(super) fn poll_room(&self, context: &mut Context<'_>) -> Poll<Result<usize, ConsumerEnd>> {
        let waker = context.waker().clone();
        let Some(mut state) = self.0.lock() else { return Poll::Ready(Err(IN_A_COPY)) };
        if let Some(end) = state.end {
            return Poll::Ready(Err(end));
        }
        let old = state.producer.replace(waker);
        let is_full = state.bytes > HIGH_BYTES;
        state.producer_is_held = is_full && !state.discards;
        let room = match is_full {
            true if state.discards => Poll::Ready(Ok(HIGH_BYTES)),
            true => Poll::Pending,
            false => Poll::Ready(Ok(HIGH_BYTES - state.bytes + 1)),
        };
        drop(state);
        drop(old);
        room
    }

    /// Waits for the consumer's end.
    pub(super) fn poll_end(&self, context: &mut Context<'_>) -> Poll<ConsumerEnd> {
        let waker = context.waker().clone();
        let Some(mut state) = self.0.lock() else { return Poll::Ready(IN_A_COPY) };
        if let Some(end) = state.end {
            return Poll::Ready(end);
        }
        let old = state.producer.replace(waker);
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Adds chunks, whatever the room is.
    ///
    /// # Errors
    ///
    /// The consumer's end, or `Closed` after [`finish`](Self::finish). The chunks are dropped.
    pub(super) fn push(&self, chunks: impl IntoIterator<Item = Bytes>) -> Result<(), WriteError> {
        let chunks: VecDeque<Bytes> = chunks.into_iter().filter(|one| !one.is_empty()).collect();
        let Some(mut state) = self.0.lock() else { return Err(WriteError::ReactorGone) };
        let refused = match state.end {
            Some(ConsumerEnd::Early(reason)) => Some(reason),
            Some(ConsumerEnd::Whole) => Some(WriteError::Closed),
            None => state.is_finished.then_some(WriteError::Closed),
        };
        if let Some(reason) = refused {
            drop(state);
            drop(chunks);
            return Err(reason);
        }
        if chunks.is_empty() || state.discards && state.bytes > HIGH_BYTES {
            drop(state);
            drop(chunks);
            return Ok(());
        }
        state.bytes += chunks.iter().map(Bytes::len).sum::<usize>();
        state.chunks.extend(chunks);
        let consumer = state.consumer.take();
        drop(state);
        wake(consumer);
        Ok(())
    }

    /// Says that no more chunks come.
    pub(super) fn finish(&self) {
        let Some(mut state) = self.0.lock() else { return };
        state.is_finished = true;
        let consumer = state.consumer.take();
        drop(state);
        wake(consumer);
    }
}

/// The consuming side.
impl ByteQueue {
    /// Takes all chunks; `None` when there will be no more. Never returns an empty batch.
    pub(super) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Option<VecDeque<Bytes>>> {
        let waker = context.waker().clone();
        let Some(mut state) = self.0.lock() else { return Poll::Ready(None) };
        if state.chunks.is_empty() {
            if state.is_finished || state.end.is_some() {
                return Poll::Ready(None);
            }
            let old = state.consumer.replace(waker);
            drop(state);
            drop(old);
            return Poll::Pending;
        }
        let chunks = mem::take(&mut state.chunks);
        state.bytes = 0;
        let is_held = mem::take(&mut state.producer_is_held);
        let producer = if is_held { state.producer.take() } else { None };
        drop(state);
        wake(producer);
        Poll::Ready(Some(chunks))
    }

    /// Sets whether the queue drops what does not fit, instead of holding its producer.
    pub(super) fn set_discards(&self, discards: bool) {
        let Some(mut state) = self.0.lock() else { return };
        state.discards = discards;
        let is_held = discards && mem::take(&mut state.producer_is_held);
        let producer = if is_held { state.producer.take() } else { None };
        drop(state);
        wake(producer);
    }

    /// Takes no more, and drops what is left. The first end counts.
    pub(super) fn end(&self, end: ConsumerEnd) {
        let Some(mut state) = self.0.lock() else { return };
        state.end.get_or_insert(end);
        state.bytes = 0;
        let (chunks, producer) = (mem::take(&mut state.chunks), state.producer.take());
        drop(state);
        drop(chunks);
        wake(producer);
    }
}

/// The producing side that the loop owns. Its drop is the producer's end, so the drop of the message
/// that carries it, or of its task, hangs nobody.
pub(super) struct Producer(pub(super) Arc<ByteQueue>);

impl Drop for Producer {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// The consuming side that the loop owns. Its drop is the consumer's end, if it had none before.
pub(super) struct Consumer(pub(super) Arc<ByteQueue>);

impl Drop for Consumer {
    fn drop(&mut self) {
        self.0.end(ConsumerEnd::Early(WriteError::ReactorGone));
    }
}

/// A forked copy has no loop.
const IN_A_COPY: ConsumerEnd = ConsumerEnd::Early(WriteError::ReactorGone);

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
