//! A list of what happened, which a test shares with what it drives.

use std::cell::RefCell;
use std::rc::Rc;

/// What was recorded, shared with the test.
pub(crate) type Log = Rc<RefCell<Vec<String>>>;

/// Takes what was recorded since the last call.
pub(crate) fn heard(log: &Log) -> Vec<String> {
    log.take()
}
