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
    /// The machine is in the reactor's list of handlers to flush.
    pub(super) flush_queued: Cell<bool>,
    /// A callback is running further up the stack.
    pub(super) pumping: Cell<bool>,
    /// The machine's entry in the list of transports that the loop calls at its end. A number in place
    /// of an [`EndWatch`](crate::driver::EndWatch), which would hold the reactor a second time.
    end: EndId,
}

impl<M: OnEnd + 'static> Driver<M> {
    /// Makes the state, and has the loop call the machine at its end. `me` may still be under
    /// construction.
    pub fn new(reactor: &Handle, me: &Weak<M>) -> Self {
        Self {
            me: me.clone(),
            reactor: reactor.clone(),
            flush_queued: Cell::new(false),
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

    /// Returns a weak reference to the machine, for code that outlives a call.
    #[inline]
    pub fn me(&self) -> &Weak<M> {
        &self.me
    }
}

impl<M> fmt::Debug for Driver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("flush_queued", &self.flush_queued.get())
            .field("pumping", &self.pumping.get())
            .finish_non_exhaustive()
    }
}
