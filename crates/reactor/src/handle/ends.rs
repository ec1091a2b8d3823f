//! The guard of a transport's entry in the list that the loop calls at its end.

use std::fmt;
use std::rc::Weak;

use crate::handle::Handle;
use crate::store::ends::{EndId, OnEnd};

/// Keeps a transport in the list that the loop calls at its end, until dropped.
#[must_use = "the transport leaves the list when this is dropped"]
pub struct EndWatch {
    reactor: Handle,
    id: EndId,
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
