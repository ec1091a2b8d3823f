//! The requests to close an end, which are carried out after its queue is written and after its
//! producer is done.

use procession_core::driver::Direction;
use procession_reactor::driver::Pipe;

use super::end::{CloseRequest, End};

impl End {
    /// Marks it for closing; returns whether the flush has something to do.
    pub(crate) fn ask_close(&mut self) -> bool {
        if self.is_terminal || self.pipe.is_none() {
            return false;
        }
        let is_read_on = self.direction == Direction::Both && self.is_held();
        self.closing = if is_read_on { CloseRequest::AfterProducer } else { CloseRequest::Close };
        if let Some(queue) = self.queue() {
            queue.on_close();
        }
        true
    }

    /// Marks the master of a terminal for closing, which hangs up the child; returns whether it is
    /// one.
    pub(crate) fn ask_hang_up(&mut self) -> bool {
        let is_due = self.is_terminal && self.pipe.is_some();
        if is_due {
            self.closing =
                if self.is_held() { CloseRequest::AfterProducer } else { CloseRequest::Close };
        }
        is_due
    }

    /// Ends the parent's direction of a socketpair after its queue is written; returns the same.
    pub(crate) fn ask_shutdown(&mut self) -> bool {
        if self.is_terminal {
            return false;
        }
        if self.direction != Direction::Both {
            return self.ask_close();
        }
        let Some(queue) = self.queue() else { return false };
        queue.on_close();
        if self.closing == CloseRequest::No {
            self.closing = CloseRequest::Shutdown;
        }
        true
    }

    /// Records that a producer writes here, for which a close waits, or is done; returns whether
    /// the flush may have something to do.
    pub(crate) fn hold_open(&mut self, held: bool) -> bool {
        let is_terminal = self.is_terminal;
        let Some(queue) = self.queue() else { return false };
        queue.set_held(held);
        // A hang-up discards what a terminal has queued, so it also waits for the queue.
        if !held && !is_terminal && self.closing == CloseRequest::AfterProducer {
            self.closing = CloseRequest::Close;
        }
        !held
    }

    /// Returns whether a close waited for a producer that is done now, with its data written.
    pub(super) fn is_producer_done(&mut self) -> bool {
        let is_done = self.queue().is_none_or(|queue| !queue.is_held() && queue.is_empty());
        self.closing == CloseRequest::AfterProducer && is_done
    }

    fn is_held(&mut self) -> bool {
        self.pipe.as_mut().and_then(Pipe::queue).is_some_and(|queue| queue.is_held())
    }
}
