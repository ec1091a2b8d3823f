//! What the driver keeps in a machine.

use std::cell::Cell;
use std::fmt;
use std::rc::Weak;

use crate::handle::Handle;
use crate::handle::ends::EndWatch;
use crate::store::ends::OnEnd;

/// What a driver keeps in its machine.
pub struct Driver<M> {
    me: Weak<M>,
    reactor: Handle,
    /// In the reactor's list of what is to be flushed.
    pub(super) flush_queued: Cell<bool>,
    /// Callbacks are being made further up the stack.
    pub(super) pumping: Cell<bool>,
    /// The machine is in the list of those that are called at the end of the loop.
    _end: EndWatch,
}

impl<M: OnEnd + 'static> Driver<M> {
    /// Has the machine called at the end of the loop; `me` may not be there yet.
    pub fn new(reactor: &Handle, me: &Weak<M>) -> Self {
        Self {
            me: me.clone(),
            reactor: reactor.clone(),
            flush_queued: Cell::new(false),
            pumping: Cell::new(false),
            _end: reactor.io().watch_end(me.clone()),
        }
    }
}

impl<M> Driver<M> {
    /// Returns the reactor that the machine belongs to.
    #[inline]
    pub fn reactor(&self) -> &Handle {
        &self.reactor
    }

    /// Returns the machine itself, for what outlives a call.
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
