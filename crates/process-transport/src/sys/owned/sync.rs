//! The atomics of a place. `conformance/loom` has loom's in their place.

pub(super) use std::sync::atomic::{AtomicI32, AtomicU32};
