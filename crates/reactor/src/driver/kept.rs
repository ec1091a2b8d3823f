//! The driver's own state in a machine.

use std::cell::Cell;
use std::fmt;
use std::rc::Weak;

use crate::handle::Handle;
use crate::store::ends::EndId;
use crate::store::ends::OnEnd;

/// The driver's own state, which a machine keeps in a field.
pub struct Driver<M> {
    me: Weak<M>,
    reactor: Handle,
    pub(super) flush: Cell<NextFlush>,
    /// A callback is running further up the stack.
    pub(super) pumping: Cell<bool>,
    /// The machine's entry in the list of transports that the loop calls at its end. A number in place
    /// of an [`EndWatch`](crate::driver::EndWatch), which would hold the reactor a second time.
    end: EndId,
}

/// Whether a flush was asked for, and when it takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextFlush {
    NotAsked,
    /// None was asked for, and the machine is handling an event. If it asks before any other
    /// handler does, it is flushed first after the event, so it need not be queued for that.
    NotAskedInEvent,
    AfterEvent,
    /// The machine is in the reactor's list of handlers to flush.
    Queued,
}

impl<M: OnEnd + 'static> Driver<M> {
    /// Makes the state, and has the loop call the machine at its end. `me` may still be under
    /// construction.
    pub fn new(reactor: &Handle, me: &Weak<M>) -> Self {
        Self {
            me: me.clone(),
            reactor: reactor.clone(),
            flush: Cell::new(NextFlush::NotAsked),
            pumping: Cell::new(false),
            end: reactor.core.ends.with(|ends| ends.add(me.clone())),
        }
    }
}

impl<M> Drop for Driver<M> {
    fn drop(&mut self) {
        self.reactor.core.ends.with(|ends| ends.remove(self.end));
    }
}

impl<M> Driver<M> {
    /// Returns the reactor that the machine belongs to.
    #[inline]
    pub fn reactor(&self) -> &Handle {
        &self.reactor
    }

    /// Begins to handle an event of the machine.
    #[inline]
    pub(super) fn begin_event(&self) {
        if self.flush.get() == NextFlush::NotAsked {
            self.flush.set(NextFlush::NotAskedInEvent);
        }
    }

    /// Ends the event. Returns whether the machine must be flushed now.
    #[inline]
    pub(super) fn end_event(&self) -> bool {
        let flush = self.flush.get();
        if flush != NextFlush::Queued {
            self.flush.set(NextFlush::NotAsked);
        }
        flush == NextFlush::AfterEvent
    }

    /// Returns a weak reference to the machine, for code that outlives a call.
    #[inline]
    pub fn me(&self) -> &Weak<M> {
        &self.me
    }
}

impl<M> fmt::Debug for Driver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("flush", &self.flush.get())
            .field("pumping", &self.pumping.get())
            .finish_non_exhaustive()
    }
}
