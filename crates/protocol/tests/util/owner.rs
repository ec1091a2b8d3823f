//! Data that uses a handle when it is dropped. `Bytes::from_owner` requires `Send`, which a handle is
//! not, so a thread-local holds the call.

use std::cell::{Cell, RefCell};

use bytes::Bytes;

thread_local! {
    static USE: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
    static DROPPED: Cell<u32> = const { Cell::new(0) };
}

pub(crate) struct LocalOwner;

impl LocalOwner {
    /// Has each drop call `call`. It would panic if the state of a fake were borrowed then.
    pub(crate) fn calls(call: impl Fn() + 'static) {
        USE.set(Some(Box::new(call)));
    }

    pub(crate) fn bytes() -> Bytes {
        Bytes::from_owner(Self)
    }

    /// Returns how much data was dropped, and calls nothing any more.
    pub(crate) fn dropped() -> u32 {
        USE.take();
        DROPPED.get()
    }
}

impl AsRef<[u8]> for LocalOwner {
    fn as_ref(&self) -> &[u8] {
        b"data"
    }
}

impl Drop for LocalOwner {
    fn drop(&mut self) {
        USE.with_borrow(|call| {
            if let Some(call) = call {
                call();
                DROPPED.set(DROPPED.get() + 1);
            }
        });
    }
}
