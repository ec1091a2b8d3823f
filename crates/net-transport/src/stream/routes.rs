//! The forwardings that a connection takes part in.

use std::rc::Rc;

use procession_reactor::driver::Forward;

/// At most one forwarding for each direction.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// The forwarding that takes the data that is read, so that it is not delivered.
    pub(super) forward: Option<Rc<Forward>>,
    /// The forwarding that writes to this connection.
    pub(super) fed_by: Option<Rc<Forward>>,
}

impl Routes {
    /// Reports that the loop stops: the rest of the peer's data is not moved.
    pub(super) fn cut_off(&self) {
        if let Some(forward) = &self.forward {
            forward.cut_off();
        }
    }
}
