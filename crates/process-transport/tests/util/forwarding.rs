//! The outcome of a forward.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use procession_core::Deferred;
use procession_protocol::ForwardError;

use super::{Driver, WATCHDOG};

/// The number of moved bytes; on failure, that number and the error.
pub(crate) type Outcome = Result<u64, (u64, io::ErrorKind)>;

/// The place for an outcome.
pub(crate) type SharedOutcome = Rc<RefCell<Option<Outcome>>>;

/// Returns the place where the outcome of a forward will be.
pub(crate) fn outcome(moved: Deferred<u64, ForwardError>) -> SharedOutcome {
    let slot = SharedOutcome::default();
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

/// Drives the loop until the forward has ended, and returns its outcome.
pub(crate) fn drive(driver: &mut Driver, slot: &RefCell<Option<Outcome>>) -> Outcome {
    driver.until("the forwarding is over", WATCHDOG, || slot.borrow().is_some());
    slot.take().expect("it is there")
}
