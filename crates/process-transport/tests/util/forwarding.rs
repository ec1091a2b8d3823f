//! What came of a forwarding.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use procession_core::Deferred;
use procession_protocol::ForwardError;

use super::{Driver, WATCHDOG};

/// The bytes, or the bytes until it failed and how.
pub(crate) type Outcome = Result<u64, (u64, io::ErrorKind)>;

/// Where it is put.
pub(crate) type Slot = Rc<RefCell<Option<Outcome>>>;

/// A slot for the outcome of a forwarding.
pub(crate) fn outcome(moved: Deferred<u64, ForwardError>) -> Slot {
    let slot = Slot::default();
    let put = slot.clone();
    moved.done(move |moved| {
        let outcome = moved.map_err(|failed| {
            let error = failed.error().expect("neither cancelled nor abandoned");
            (error.moved, error.source.kind())
        });
        *put.borrow_mut() = Some(outcome);
    });
    slot
}

/// Drives the loop until the forwarding is over.
pub(crate) fn drive(driver: &mut Driver, slot: &RefCell<Option<Outcome>>) -> Outcome {
    driver.until("the forwarding is over", WATCHDOG, || slot.borrow().is_some());
    slot.take().expect("it is there")
}
