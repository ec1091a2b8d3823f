//! What the handle of an async child leads to: a transport, or a fake.

use std::rc::Rc;
use std::time::Duration;

use procession_core::Signal;
use procession_protocol::{ChildFd, Process};

use crate::child::ChildTransport;

/// What the handle of a child leads to.
pub(super) enum ChildBackend {
    Reactor(Rc<ChildTransport>),
    Fake { kill_on_drop: bool },
}

impl ChildBackend {
    /// Closes an input after its queue, unless a producer or a forwarding feeds it, which closes it.
    pub(super) fn close_idle_input(&self, process: &Process, fd: ChildFd) {
        match self {
            Self::Reactor(transport) => transport.close_idle_input(fd),
            // A producer that it has is done before.
            Self::Fake { .. } => process.shutdown_write(fd),
        }
    }

    /// Terminates a child that ends with its owner.
    pub(super) fn end_with_owner(&self, process: &Process, grace: Duration) {
        match self {
            Self::Reactor(transport) => transport.end_with_owner(grace),
            Self::Fake { kill_on_drop: true } if process.pid().is_some() => {
                let signal = if grace.is_zero() { Signal::KILL } else { Signal::TERM };
                // Nobody is there to hear of it.
                process.terminate(signal, grace).done(drop);
            }
            Self::Fake { .. } => {}
        }
    }
}
