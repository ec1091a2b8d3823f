//! The forwardings that a connection takes part in.

use std::rc::Rc;

use procession_reactor::driver::Forward;

/// At most one for each direction.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// What is read is moved on by it, instead of being delivered.
    pub(super) forward: Option<Rc<Forward>>,
    /// What it moves is written here.
    pub(super) fed_by: Option<Rc<Forward>>,
}

impl Routes {
    /// The loop stops, and what is still to come of the peer is not moved.
    pub(super) fn cut_off(&self) {
        if let Some(forward) = &self.forward {
            forward.cut_off();
        }
    }
}
