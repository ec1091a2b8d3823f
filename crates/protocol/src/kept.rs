//! Holds a protocol for a transport. The protocol is moved out during a callback, so nothing is borrowed
//! while it runs, and moved back when the callback returns.
//!
//! The protocol is dropped after its last callback and after a panic. The users of this module decide
//! which method is called, and which call is the last.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use procession_core::driver::FirstPanic;

/// Holds a protocol and calls it.
pub(crate) struct ProtocolHolder<P: ?Sized> {
    /// `None` while a callback is running, and once the protocol is gone.
    protocol: Cell<Option<Box<P>>>,
    /// The protocol had its last callback, panicked or was retired.
    gone: Cell<bool>,
}

/// Whether a call is the last, after which the protocol is dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropAfter {
    Yes,
    No,
}

impl<P: ?Sized> ProtocolHolder<P> {
    pub(crate) fn new(protocol: Box<P>) -> Self {
        Self { protocol: Cell::new(Some(protocol)), gone: Cell::new(false) }
    }

    /// Makes one callback. If it panics, returns the panic and drops the protocol. If the call drops the
    /// protocol, passes the result through `then`.
    ///
    /// Does nothing once the protocol is gone, or while a callback is running.
    #[inline]
    pub(crate) fn try_call(
        &self,
        last: DropAfter,
        callback: impl FnOnce(&mut P),
        then: impl FnOnce(thread::Result<()>) -> thread::Result<()>,
    ) -> thread::Result<()> {
        let Some(mut protocol) = self.protocol.take() else { return Ok(()) };
        let called = catch_unwind(AssertUnwindSafe(|| callback(&mut *protocol)));
        if called.is_ok() && last == DropAfter::No && !self.gone.get() {
            self.protocol.set(Some(protocol)); // the cell is empty: only this line fills it
            return Ok(());
        }
        then(self.end(protocol, called))
    }

    /// Drops the protocol after its last callback, after a panic, or after it was retired in a callback.
    #[cold]
    fn end(&self, protocol: Box<P>, called: thread::Result<()>) -> thread::Result<()> {
        self.gone.set(true);
        first_panic(called, drop_caught(|| drop(protocol)))
    }

    /// Takes the protocol out for good. The caller drops it while nothing is borrowed.
    ///
    /// If the protocol is in a callback, it is dropped when that returns.
    #[must_use = "drop it while nothing is borrowed"]
    pub(crate) fn retire(&self) -> Option<Box<P>> {
        self.gone.set(true);
        self.protocol.take()
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.get()
    }
}

/// Returns the first panic, so a panic in a drop does not hide an earlier one.
pub(crate) fn first_panic(
    first: thread::Result<()>,
    second: thread::Result<()>,
) -> thread::Result<()> {
    match (first, second) {
        (Err(first), Err(second)) => {
            FirstPanic::discard(second);
            Err(first)
        }
        (first, second) => first.and(second),
    }
}

pub(crate) fn drop_caught(drop_it: impl FnOnce()) -> thread::Result<()> {
    catch_unwind(AssertUnwindSafe(drop_it))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    struct Dropped(Rc<Cell<u32>>);

    trait Any {}

    impl Any for Dropped {}

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    fn kept() -> (ProtocolHolder<dyn Any>, Rc<Cell<u32>>) {
        let drops = Rc::new(Cell::new(0));
        (ProtocolHolder::new(Box::new(Dropped(Rc::clone(&drops)))), drops)
    }

    fn call(
        kept: &ProtocolHolder<dyn Any>,
        last: DropAfter,
        callback: impl FnOnce(&mut dyn Any),
    ) -> thread::Result<()> {
        kept.try_call(last, |protocol| callback(protocol), |called| called)
    }

    #[test]
    fn the_protocol_is_dropped_after_the_last_call_and_called_no_more() {
        let (kept, drops) = kept();
        call(&kept, DropAfter::No, |_| ()).unwrap();
        assert_eq!((drops.get(), kept.is_gone()), (0, false));
        call(&kept, DropAfter::Yes, |_| ()).unwrap();
        assert_eq!((drops.get(), kept.is_gone()), (1, true));
        call(&kept, DropAfter::No, |_| unreachable!("it is gone")).unwrap();
    }

    #[test]
    fn a_panic_drops_the_protocol_and_is_returned() {
        let (kept, drops) = kept();
        let panic = call(&kept, DropAfter::No, |_| panic!("in a callback")).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"in a callback"));
        assert_eq!(drops.get(), 1);
        assert!(kept.retire().is_none());
    }

    #[test]
    fn retired_in_a_callback_it_is_dropped_when_that_returns() {
        let (kept, drops) = kept();
        call(&kept, DropAfter::No, |_| {
            assert!(kept.retire().is_none());
            assert_eq!(drops.get(), 0);
        })
        .unwrap();
        assert_eq!(drops.get(), 1);
    }

    #[test]
    fn nothing_is_called_inside_a_callback() {
        let (kept, drops) = kept();
        call(&kept, DropAfter::No, |_| {
            call(&kept, DropAfter::No, |_| unreachable!("it is moved out")).unwrap();
        })
        .unwrap();
        assert_eq!(drops.get(), 0);
        call(&kept, DropAfter::Yes, |_| ()).unwrap();
    }

    #[test]
    fn the_first_of_two_panics_is_returned() {
        struct Panics;

        impl Any for Panics {}

        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("in the drop");
            }
        }

        let first = ProtocolHolder::<dyn Any>::new(Box::new(Panics));
        let panic = call(&first, DropAfter::No, |_| panic!("in a callback")).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"in a callback"));
        let last = ProtocolHolder::<dyn Any>::new(Box::new(Panics));
        let panic = call(&last, DropAfter::Yes, |_| ()).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"in the drop"));
    }
}
