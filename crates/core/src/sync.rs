//! What this crate takes from the standard library for work between threads. `conformance/loom`
//! compiles `answer.rs` with loom's types in their place, and runs it in every order.

pub(crate) use std::sync::{Mutex, MutexGuard};
pub(crate) use std::thread;
