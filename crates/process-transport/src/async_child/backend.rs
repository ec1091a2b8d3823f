//! The two kinds of child behind the handle of an async child: a real one, or a fake.

use std::rc::Rc;
use std::time::Duration;

use procession_core::Signal;
use procession_protocol::{ChildFd, Process};

use crate::child::ChildTransport;

/// The child behind an async [`Child`](crate::Child).
pub(super) enum ChildBackend {
    Reactor(Rc<ChildTransport>),
    Fake { kill_on_drop: bool },
}

impl ChildBackend {
    /// Closes an input once its queue is written. If a producer or a forwarding feeds the input, that
    /// closes it instead.
    pub(super) fn close_idle_input(&self, process: &Process, fd: ChildFd) {
        match self {
            Self::Reactor(transport) => transport.close_idle_input(fd),
            // The close waits for a producer.
            Self::Fake { .. } => process.shutdown_write(fd),
        }
    }

    /// Terminates a child that ends with its owner.
    pub(super) fn end_with_owner(&self, process: &Process, grace: Duration) {
        match self {
            Self::Reactor(transport) => transport.end_with_owner(grace),
            Self::Fake { kill_on_drop: true } if process.pid().is_some() => {
                let signal = if grace.is_zero() { Signal::KILL } else { Signal::TERM };
                // The owner is gone, so no code needs the result.
                process.terminate(signal, grace).done(drop);
            }
            Self::Fake { .. } => {}
        }
    }
}
