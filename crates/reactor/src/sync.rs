//! What `store/shared.rs` takes from the standard library for work between threads.
//! `conformance/loom` compiles that file with loom's types in their place, and runs it in every
//! order.

pub(crate) use std::sync::atomic::AtomicBool;
pub(crate) use std::sync::{Mutex, MutexGuard};
