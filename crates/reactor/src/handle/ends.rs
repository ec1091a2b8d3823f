//! The guard of a place in the list of those that are called at the end of the loop.

use std::fmt;
use std::rc::Weak;

use crate::handle::Handle;
use crate::store::ends::OnEnd;

/// A place in the list of those that are called at the end of the loop, until it is dropped.
#[must_use = "dropped, it leaves the list"]
pub struct EndWatch {
    reactor: Handle,
    id: u64,
}

impl EndWatch {
    pub(super) fn new(reactor: &Handle, transport: Weak<dyn OnEnd>) -> Self {
        let id = reactor.core.ends.with(|ends| ends.add(transport));
        Self { reactor: reactor.clone(), id }
    }
}

impl Drop for EndWatch {
    fn drop(&mut self) {
        self.reactor.core.ends.with(|ends| ends.remove(self.id));
    }
}

impl fmt::Debug for EndWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndWatch").field("id", &self.id).finish_non_exhaustive()
    }
}
