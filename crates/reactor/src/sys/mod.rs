//! The unsafe part of the crate: registration in the poller, and signals.
//!
//! # Audit
//!
//! | block | obligation | met by | test |
//! |---|---|---|---|
//! | `polled::Polled::set`, `add_with_mode` | the source leaves the poller before it is dropped | `Polled` owns the source, lends it as `&S` only, and its `Drop` deletes it from the poller first | `tests/sources.rs`, `tests/closing.rs`, `tests/dropping.rs` |
//! | `polled::PolledFd::set`, `add_with_mode` | the descriptor leaves the poller before it is closed | `PolledFd` owns it, and its `Drop` and `release` delete it from the poller first | the same |
//! | `polled::disown` | the poller alone owns the number, which is open before and after | `ManuallyDrop` around the second owner, `dup3` in one step | `process-transport/tests/forked_copies.rs` |
//! | `signals::disposition` | the pointers given to `sigaction` are valid, and the result is written before it is read | a local `MaybeUninit`, read after success only | `tests/signals.rs` |
//! | `signals::watch`, `signals::emulate` | code that runs in a signal handler is async-signal-safe | atomics, `getpid(2)`, `write(2)`, `sigaction(2)`, `sigprocmask(2)` and `raise(3)` only; no allocation, no lock; and the contract of `ProgramHooks` | `tests/signals.rs`, `tests/main_thread.rs` |
//! | `main_thread::is_main_thread` (not on Linux) | the function exists there | the standard library of each system; `cargo xtask portability` | `tests/main_thread.rs` |
//! | `sigpipe_mask` | the sets given to the mask calls are initialised and live | locals, filled by `sigemptyset` | its own, `tests/signals.rs` |
//!
//! It exports safe items, and `ProgramHooks`, the one unsafe trait of the public API.

pub(crate) mod main_thread;
pub(crate) mod polled;
pub(crate) mod signals;
pub(crate) mod sigpipe;
mod sigpipe_mask;
