//! What a child, its outputs and its protocol share.

use bytes::Bytes;
use procession_core::WithCell;
use procession_protocol::{ChildFd, ExitReason};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::mem;
use std::task::{Context, Waker};

/// The output, in bytes, that is kept for a program that does not take it, before the child's
/// descriptor is paused.
pub const OUTPUT_HIGH_BYTES: usize = 256 << 10;

/// Shared by the child, its outputs and its protocol.
pub(super) struct Shared(pub(super) WithCell<State>);

#[derive(Default)]
pub(super) struct State {
    pub(super) outputs: BTreeMap<ChildFd, Output>,
    /// Who waits for a change. One of a kind, for each borrows the child, or the input: the last that
    /// polled.
    pub(super) wakers: BTreeMap<Waiter, Waker>,
    pub(super) exited: Option<ExitReason>,
    pub(super) ended: Option<ExitReason>,
    /// The descriptors whose parent's end is closed, but for those of a terminal.
    pub(super) lost: BTreeSet<ChildFd>,
    /// The protocol is gone: after the end, or with the reactor.
    pub(super) gone: bool,
}

/// Somebody who waits for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiter {
    /// For room in a write queue, for the exit or for the end.
    Child,
    /// For room in the queue of an input that was taken.
    Input(ChildFd),
}

impl State {
    /// Whether what was queued for `fd` has been dropped.
    pub(super) fn has_lost(&self, fd: ChildFd) -> bool {
        self.gone || self.lost.contains(&fd)
    }
}

#[derive(Default)]
pub(super) struct Output {
    pub(super) chunks: VecDeque<Bytes>,
    pub(super) bytes: usize,
    pub(super) paused: bool,
    /// What comes above the limit is thrown away instead of waiting for the program.
    pub(super) discarding: bool,
    pub(super) ended: bool,
    pub(super) waker: Option<Waker>,
}

impl Shared {
    /// Wakes this task at the next change.
    pub(super) fn wait(&self, waiter: Waiter, cx: &Context<'_>) {
        let is_known = |state: &mut State| {
            state.wakers.get(&waiter).is_some_and(|waker| waker.will_wake(cx.waker()))
        };
        if !self.0.with(is_known) {
            let waker = cx.waker().clone();
            let old = self.0.with(|state| state.wakers.insert(waiter, waker));
            drop(old);
        }
    }

    /// Changes the state, then wakes whoever waits for it.
    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        let wakers = self.0.with(|state| {
            change(state);
            mem::take(&mut state.wakers)
        });
        for waker in wakers.into_values() {
            waker.wake();
        }
    }

    /// Changes one output, then wakes its reader.
    pub(super) fn change_output<R>(&self, fd: ChildFd, change: impl FnOnce(&mut Output) -> R) -> R {
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

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}
