//! What the source files take from `crate::sync`: loom's locks, threads and atomics.

use std::sync::atomic::Ordering;

use loom::sync::atomic::fence;
pub(crate) use loom::sync::{Mutex, MutexGuard};
pub(crate) use loom::thread;

/// Defines an atomic whose sequentially consistent operations are that. loom treats them as acquire and
/// release, but has the fences.
macro_rules! atomic {
    ($name:ident, $value:ty) => {
        #[derive(Debug, Default)]
        pub(crate) struct $name(loom::sync::atomic::$name);

        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                consistent(order, || self.0.load(order))
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                consistent(order, || self.0.store(value, order));
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                consistent(order, || self.0.swap(value, order))
            }

            pub(crate) fn compare_exchange(
                &self,
                from: $value,
                to: $value,
                order: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                consistent(order, || self.0.compare_exchange(from, to, order, failure))
            }

            pub(crate) fn fetch_or(&self, bits: $value, order: Ordering) -> $value {
                consistent(order, || self.0.fetch_or(bits, order))
            }
        }
    };
}

atomic!(AtomicBool, bool);
atomic!(AtomicI32, i32);
atomic!(AtomicU32, u32);

impl AtomicI32 {
    pub(crate) fn fetch_add(&self, value: i32, order: Ordering) -> i32 {
        consistent(order, || self.0.fetch_add(value, order))
    }

    pub(crate) fn fetch_sub(&self, value: i32, order: Ordering) -> i32 {
        consistent(order, || self.0.fetch_sub(value, order))
    }
}

fn consistent<R>(order: Ordering, operation: impl FnOnce() -> R) -> R {
    if order != Ordering::SeqCst {
        return operation();
    }
    fence(Ordering::SeqCst);
    let result = operation();
    fence(Ordering::SeqCst);
    result
}
