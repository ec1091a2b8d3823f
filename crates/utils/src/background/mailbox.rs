//! Messages from any thread to one task of the loop.
//!
//! Model: the mailbox is open until the sender finishes it or the receiver closes it. After a finish
//! the receiver still gets what was sent before. After a close every message, old or new, is
//! dropped. Messages and wakers are foreign code and are dropped outside of the lock.

use std::collections::VecDeque;
use std::mem;
use std::task::{Context, Poll, Waker};

use super::original_cell::OriginalCell;

/// Messages that wait for the loop.
pub(super) struct Mailbox<M>(OriginalCell<MailboxState<M>>);

struct MailboxState<M> {
    messages: VecDeque<M>,
    /// Set while the receiver waits.
    receiver: Option<Waker>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Finished,
    Closed,
}

impl<M> Mailbox<M> {
    pub(super) fn new() -> Self {
        let messages = VecDeque::new();
        Self(OriginalCell::new(MailboxState { messages, receiver: None, phase: Phase::Open }))
    }

    /// Sends a message. Drops it if it will not be received.
    pub(super) fn send(&self, message: M) {
        let Some(mut state) = self.0.lock() else { return };
        if state.phase != Phase::Open {
            drop(state);
            return drop(message);
        }
        state.messages.push_back(message);
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
    }

    /// Says that no more messages come.
    pub(super) fn finish(&self) {
        let Some(mut state) = self.0.lock() else { return };
        if state.phase == Phase::Open {
            state.phase = Phase::Finished;
        }
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
    }

    /// Drops all messages, and those to come.
    pub(super) fn close(&self) {
        let Some(mut state) = self.0.lock() else { return };
        state.phase = Phase::Closed;
        let (messages, receiver) = (mem::take(&mut state.messages), state.receiver.take());
        drop(state);
        drop((messages, receiver));
    }

    /// Returns whether a message waits.
    pub(super) fn has_more(&self) -> bool {
        self.0.lock().is_some_and(|state| !state.messages.is_empty())
    }

    /// Takes the next message; `None` when there will be no more.
    pub(super) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<M>> {
        let waker = context.waker().clone();
        let Some(mut state) = self.0.lock() else { return Poll::Ready(None) };
        if let Some(message) = state.messages.pop_front() {
            return Poll::Ready(Some(message));
        }
        if state.phase != Phase::Open {
            return Poll::Ready(None);
        }
        let old = state.receiver.replace(waker);
        drop(state);
        drop(old);
        Poll::Pending
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn next<M>(mailbox: &Mailbox<M>) -> Poll<Option<M>> {
        mailbox.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn messages_come_in_their_order_and_before_the_finish() {
        let mailbox = Mailbox::new();
        assert!(next(&mailbox).is_pending());
        mailbox.send(1);
        mailbox.send(2);
        mailbox.finish();
        mailbox.send(3);
        let all = [next(&mailbox), next(&mailbox), next(&mailbox)];
        assert_eq!(all, [Poll::Ready(Some(1)), Poll::Ready(Some(2)), Poll::Ready(None)]);
    }

    #[test]
    fn a_close_drops_what_was_sent_and_what_is_sent_later() {
        let mailbox = Mailbox::new();
        let message = Arc::new(());
        mailbox.send(Arc::clone(&message));
        mailbox.close();
        mailbox.send(Arc::clone(&message));
        assert_eq!(Arc::strong_count(&message), 1);
        assert_eq!(next(&mailbox), Poll::Ready(None));
    }
}
