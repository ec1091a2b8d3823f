//! The state that a child, its outputs and its protocol share.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::mem;
use std::task::{Context, Waker};

use bytes::Bytes;
use procession_core::driver::WithCell;
use procession_protocol::{ChildFd, ExitReason};

use super::tail::{OUTPUT_HIGH_BYTES, Tail};

/// The shared cell.
pub(super) struct SharedState(pub(super) WithCell<DialogueState>);

#[derive(Default)]
pub(super) struct DialogueState {
    pub(super) outputs: BTreeMap<ChildFd, OutputState>,
    /// The tasks that wait for a change, one for each [`Waiter`]: a wait borrows the child or the
    /// input, so the last poll counts.
    pub(super) wakers: BTreeMap<Waiter, Waker>,
    pub(super) exited: Option<ExitReason>,
    pub(super) ended: Option<ExitReason>,
    /// The descriptors whose parent's end is closed, except those of a terminal.
    pub(super) lost: BTreeSet<ChildFd>,
    /// The protocol is gone: after the child's end, or with the reactor.
    pub(super) gone: bool,
}

/// A wait for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiter {
    /// For room in a write queue, for the exit or for the end.
    Child,
    /// For room in the queue of an input that was taken.
    Input(ChildFd),
}

impl DialogueState {
    /// Returns whether data queued for `fd` was dropped.
    pub(super) fn has_lost(&self, fd: ChildFd) -> bool {
        self.gone || self.lost.contains(&fd)
    }
}

#[derive(Default)]
pub(super) struct OutputState {
    /// The last bytes of an output that the program has not asked for; `None` once it has.
    pub(super) tail: Option<Tail>,
    pub(super) chunks: VecDeque<Bytes>,
    pub(super) bytes: usize,
    pub(super) paused: bool,
    /// Discards what comes above the limit, instead of pausing until the program reads.
    pub(super) discarding: bool,
    /// How many bytes were discarded.
    pub(super) skipped_bytes: u64,
    pub(super) ended: bool,
    pub(super) waker: Option<Waker>,
}

impl OutputState {
    /// Keeps or discards new data; returns whether the descriptor must be paused.
    pub(super) fn take_in(&mut self, data: &mut Option<Bytes>) -> bool {
        let Some(data) = data.take_if(|_| !self.ended) else { return false };
        if let Some(tail) = &mut self.tail {
            let gone = tail.push(&data);
            self.skip(gone);
        } else if self.bytes > OUTPUT_HIGH_BYTES && self.discarding {
            self.skip(data.len());
        } else {
            self.bytes += data.len();
            self.chunks.push_back(data);
            self.paused = self.bytes > OUTPUT_HIGH_BYTES && !self.discarding;
        }
        self.paused
    }

    /// Turns the tail into the first chunk: the program reads this output from now on.
    pub(super) fn on_asked_for(&mut self) {
        let tail = self.tail.take().map(Tail::into_vec).unwrap_or_default();
        if !tail.is_empty() {
            self.bytes = tail.len();
            self.chunks.push_back(tail.into());
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.skipped_bytes =
            self.skipped_bytes.saturating_add(bytes.try_into().unwrap_or(u64::MAX));
    }
}

impl SharedState {
    /// Wakes this task at the next change.
    pub(super) fn wait(&self, waiter: Waiter, cx: &Context<'_>) {
        let is_known = |state: &mut DialogueState| {
            state.wakers.get(&waiter).is_some_and(|waker| waker.will_wake(cx.waker()))
        };
        if !self.0.with(is_known) {
            let waker = cx.waker().clone();
            let old = self.0.with(|state| state.wakers.insert(waiter, waker));
            drop(old);
        }
    }

    /// Changes the state, then wakes all waiting tasks.
    pub(super) fn change(&self, change: impl FnOnce(&mut DialogueState)) {
        let wakers = self.0.with(|state| {
            change(state);
            mem::take(&mut state.wakers)
        });
        for waker in wakers.into_values() {
            waker.wake();
        }
    }

    /// Changes one output, then wakes its reader.
    pub(super) fn change_output<R>(
        &self,
        fd: ChildFd,
        change: impl FnOnce(&mut OutputState) -> R,
    ) -> R {
        let (value, waker) = self.0.with(|state| {
            let output = state.outputs.entry(fd).or_default();
            (change(output), output.waker.take())
        });
        if let Some(waker) = waker {
            waker.wake();
        }
        value
    }
}

impl fmt::Debug for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedState")
    }
}
