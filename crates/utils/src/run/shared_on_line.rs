//! [`SharedOnLine`]: one callback for the lines of all attempts.

use std::rc::Rc;

use procession_core::driver::WithCell;

use crate::lines::OnLine;

/// A callback for lines that the attempts of a run have one after the other.
pub(super) struct SharedOnLine(Rc<WithCell<Option<OnLine>>>);

impl SharedOnLine {
    pub(super) fn new(call: OnLine) -> Self {
        Self(Rc::new(WithCell::new(Some(call))))
    }

    /// Returns a callback that calls this one.
    pub(super) fn call(&self) -> OnLine {
        let shared = Rc::clone(&self.0);
        Box::new(move |line| {
            if let Some(mut call) = shared.take() {
                call(line);
                drop(shared.replace(Some(call)));
            }
        })
    }
}
