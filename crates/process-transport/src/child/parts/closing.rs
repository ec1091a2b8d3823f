//! What the program asked for of an end, to be done after its queue is written, and after whoever
//! produces for it is done.

use super::end::{Closing, End};
use procession_core::Direction;
use procession_reactor::driver::Pipe;

impl End {
    /// Marks it for closing; true if there is something to do at the flush.
    pub(crate) fn ask_close(&mut self) -> bool {
        if self.is_terminal || self.pipe.is_none() {
            return false;
        }
        let is_read_on = self.direction == Direction::Both && self.is_held();
        self.closing = if is_read_on { Closing::AfterProducer } else { Closing::Close };
        if let Some(queue) = self.queue() {
            queue.on_close();
        }
        true
    }

    /// Marks the master of a terminal for closing, which hangs the child up; true if it is one.
    pub(crate) fn ask_hang_up(&mut self) -> bool {
        let is_due = self.is_terminal && self.pipe.is_some();
        if is_due {
            self.closing = if self.is_held() { Closing::AfterProducer } else { Closing::Close };
        }
        is_due
    }

    /// Ends the parent's direction of a socketpair after its queue; true as above.
    pub(crate) fn ask_shutdown(&mut self) -> bool {
        if self.is_terminal {
            return false;
        }
        if self.direction != Direction::Both {
            return self.ask_close();
        }
        let Some(queue) = self.queue() else { return false };
        queue.on_close();
        if self.closing == Closing::No {
            self.closing = Closing::Shutdown;
        }
        true
    }

    /// A producer writes here, which a close waits for, or is done; true if there may be something to
    /// do at the flush.
    pub(crate) fn hold_open(&mut self, held: bool) -> bool {
        let is_terminal = self.is_terminal;
        let Some(queue) = self.queue() else { return false };
        queue.set_held(held);
        // A terminal loses what is queued when it is hung up: that waits for the queue as well.
        if !held && !is_terminal && self.closing == Closing::AfterProducer {
            self.closing = Closing::Close;
        }
        !held
    }

    /// Returns whether a close waited for a producer, and what that has written is gone.
    pub(super) fn is_producer_done(&mut self) -> bool {
        let is_done = self.queue().is_none_or(|queue| !queue.is_held() && queue.is_empty());
        self.closing == Closing::AfterProducer && is_done
    }

    fn is_held(&mut self) -> bool {
        self.pipe.as_mut().and_then(Pipe::queue).is_some_and(|queue| queue.is_held())
    }
}
