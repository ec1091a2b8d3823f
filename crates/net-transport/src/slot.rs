//! Where a connection keeps its protocol.
//!
//! It is moved out for the length of a callback, so that nothing is borrowed while it runs, and put
//! back when the callback returns. It is dropped after the last callback, and after a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use procession_core::WithCell;
use procession_protocol::Protocol;

/// Keeps a protocol and calls it.
pub(crate) struct Slot(WithCell<Place>);

enum Place {
    Here(Box<dyn Protocol>),
    /// A callback is running.
    Lent,
    /// The protocol heard the last, panicked or was retired.
    Gone,
}

/// Whether the protocol is dropped after the call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    Yes,
    No,
}

impl Slot {
    pub(crate) fn new(protocol: Box<dyn Protocol>) -> Self {
        Self(WithCell::new(Place::Here(protocol)))
    }

    /// Makes one callback, if the protocol is still there; a panic of it is handed back, and is the
    /// end of the protocol.
    pub(crate) fn call(
        &self,
        last: Last,
        call: impl FnOnce(&mut dyn Protocol),
    ) -> thread::Result<()> {
        let Some(mut protocol) = self.lend() else { return Ok(()) };
        let called = catch_unwind(AssertUnwindSafe(|| call(&mut *protocol)));
        let done_with = if called.is_ok() && last == Last::No {
            self.put_back(protocol)
        } else {
            drop(self.retire());
            Some(protocol)
        };
        let dropped = catch_unwind(AssertUnwindSafe(move || drop(done_with)));
        match (called, dropped) {
            (Err(first), Err(second)) => {
                // The first is the cause; a payload may panic in its own drop, so it is left alone.
                std::mem::forget(second);
                Err(first)
            }
            (called, dropped) => called.and(dropped),
        }
    }

    /// Takes the protocol out for good, for the caller to drop where nothing is borrowed.
    ///
    /// One that is in a callback is dropped when that returns.
    #[must_use = "drop it where nothing is borrowed"]
    pub(crate) fn retire(&self) -> Option<Box<dyn Protocol>> {
        match self.0.replace(Place::Gone) {
            Place::Here(protocol) => Some(protocol),
            Place::Lent | Place::Gone => None,
        }
    }

    fn lend(&self) -> Option<Box<dyn Protocol>> {
        self.0.with(|place| match std::mem::replace(place, Place::Lent) {
            Place::Here(protocol) => Some(protocol),
            Place::Lent => None,
            Place::Gone => {
                *place = Place::Gone;
                None
            }
        })
    }

    /// Returns the protocol where it was retired meanwhile.
    fn put_back(&self, protocol: Box<dyn Protocol>) -> Option<Box<dyn Protocol>> {
        self.0.with(|place| match place {
            Place::Gone => Some(protocol),
            Place::Here(_) | Place::Lent => {
                *place = Place::Here(protocol);
                None
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    struct Dropped(Rc<Cell<u32>>);

    impl Protocol for Dropped {}

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    fn slot() -> (Slot, Rc<Cell<u32>>) {
        let drops = Rc::new(Cell::new(0));
        (Slot::new(Box::new(Dropped(Rc::clone(&drops)))), drops)
    }

    #[test]
    fn the_protocol_is_dropped_after_the_last_call_and_called_no_more() {
        let (slot, drops) = slot();
        slot.call(Last::No, |_| ()).unwrap();
        assert_eq!(drops.get(), 0);
        slot.call(Last::Yes, |_| ()).unwrap();
        assert_eq!(drops.get(), 1);
        slot.call(Last::No, |_| unreachable!("it is gone")).unwrap();
    }

    #[test]
    fn a_panic_drops_the_protocol_and_is_handed_back() {
        let (slot, drops) = slot();
        let panic = slot.call(Last::No, |_| panic!("in a callback")).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"in a callback"));
        assert_eq!(drops.get(), 1);
    }

    #[test]
    fn retired_in_a_callback_it_is_dropped_when_that_returns() {
        let (slot, drops) = slot();
        let inside = Rc::clone(&drops);
        slot.call(Last::No, |_| {
            assert!(slot.retire().is_none());
            assert_eq!(inside.get(), 0);
        })
        .unwrap();
        assert_eq!(drops.get(), 1);
    }
}
