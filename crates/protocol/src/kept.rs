//! Where a transport keeps a protocol: moved out for the length of a callback, so that nothing is
//! borrowed while it runs, and put back when the callback returns.
//!
//! It is dropped after its last callback and after a panic. What is called, and which call is the
//! last, its users know.

use procession_core::driver::FirstPanic;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// Keeps a protocol and calls it.
pub(crate) struct Kept<P: ?Sized> {
    /// `None` while a callback is running, and once the protocol is gone.
    protocol: Cell<Option<Box<P>>>,
    /// The protocol has had its last callback, panicked or was retired.
    gone: Cell<bool>,
}

/// Whether the protocol is dropped after the call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    Yes,
    No,
}

impl<P: ?Sized> Kept<P> {
    pub(crate) fn new(protocol: Box<P>) -> Self {
        Self { protocol: Cell::new(Some(protocol)), gone: Cell::new(false) }
    }

    /// Makes one callback. A panic of the protocol is returned, and the protocol is dropped.
    ///
    /// Nothing is called once the protocol is gone, nor while a callback is running.
    #[inline]
    pub(crate) fn try_call(&self, last: Last, callback: impl FnOnce(&mut P)) -> thread::Result<()> {
        self.try_call_then(last, callback, |called| called)
    }

    /// Does the same; once the protocol is dropped, what came of it goes through `then`.
    #[inline]
    pub(crate) fn try_call_then(
        &self,
        last: Last,
        callback: impl FnOnce(&mut P),
        then: impl FnOnce(thread::Result<()>) -> thread::Result<()>,
    ) -> thread::Result<()> {
        let Some(mut protocol) = self.protocol.take() else { return Ok(()) };
        let called = catch_unwind(AssertUnwindSafe(|| callback(&mut *protocol)));
        if called.is_ok() && last == Last::No && !self.gone.get() {
            self.protocol.set(Some(protocol)); // where nothing is: only here it is put in
            return Ok(());
        }
        then(self.end(protocol, called))
    }

    /// The last callback has returned or panicked, or the protocol was retired in it.
    #[cold]
    fn end(&self, protocol: Box<P>, called: thread::Result<()>) -> thread::Result<()> {
        self.gone.set(true);
        first_panic(called, drop_caught(|| drop(protocol)))
    }

    /// Takes the protocol out for good, for the caller to drop where nothing is borrowed.
    ///
    /// One that is in a callback is dropped when that returns.
    #[must_use = "drop it where nothing is borrowed"]
    pub(crate) fn retire(&self) -> Option<Box<P>> {
        self.gone.set(true);
        self.protocol.take()
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.get()
    }
}

/// The panic in a drop must not hide an earlier one.
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
    use super::*;
    use std::rc::Rc;

    struct Dropped(Rc<Cell<u32>>);

    trait Any {}

    impl Any for Dropped {}

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    fn kept() -> (Kept<dyn Any>, Rc<Cell<u32>>) {
        let drops = Rc::new(Cell::new(0));
        (Kept::new(Box::new(Dropped(Rc::clone(&drops)))), drops)
    }

    #[test]
    fn the_protocol_is_dropped_after_the_last_call_and_called_no_more() {
        let (kept, drops) = kept();
        kept.try_call(Last::No, |_| ()).unwrap();
        assert_eq!((drops.get(), kept.is_gone()), (0, false));
        kept.try_call(Last::Yes, |_| ()).unwrap();
        assert_eq!((drops.get(), kept.is_gone()), (1, true));
        kept.try_call(Last::No, |_| unreachable!("it is gone")).unwrap();
    }

    #[test]
    fn a_panic_drops_the_protocol_and_is_returned() {
        let (kept, drops) = kept();
        let panic = kept.try_call(Last::No, |_| panic!("in a callback")).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"in a callback"));
        assert_eq!(drops.get(), 1);
        assert!(kept.retire().is_none());
    }

    #[test]
    fn retired_in_a_callback_it_is_dropped_when_that_returns() {
        let (kept, drops) = kept();
        kept.try_call(Last::No, |_| {
            assert!(kept.retire().is_none());
            assert_eq!(drops.get(), 0);
        })
        .unwrap();
        assert_eq!(drops.get(), 1);
    }

    #[test]
    fn nothing_is_called_inside_a_callback() {
        let (kept, drops) = kept();
        kept.try_call(Last::No, |_| {
            kept.try_call(Last::No, |_| unreachable!("it is moved out")).unwrap();
        })
        .unwrap();
        assert_eq!(drops.get(), 0);
        kept.try_call(Last::Yes, |_| ()).unwrap();
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

        let first = Kept::<dyn Any>::new(Box::new(Panics));
        let panic = first.try_call(Last::No, |_| panic!("in a callback")).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"in a callback"));
        let last = Kept::<dyn Any>::new(Box::new(Panics));
        let panic = last.try_call(Last::Yes, |_| ()).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"in the drop"));
    }
}
