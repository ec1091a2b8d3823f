//! The unsafe code of these tests.
//!
//! # Audit
//!
//! * `forked`: the closure does nothing, which is async-signal-safe.
//! * `race`: unsound on purpose. Only the canary calls it, in a process that ends with it.

use std::cell::UnsafeCell;
use std::thread;

use procession::Command;

/// Has the child started by the C library's `fork`: the sanitizer ends a process that calls `clone`.
pub(crate) fn forked(command: Command) -> Command {
    // SAFETY: the closure does nothing.
    unsafe { command.pre_exec(|| Ok(())) }
}

struct Racy(UnsafeCell<u32>);

// SAFETY: none; see the audit.
unsafe impl Sync for Racy {}

/// Writes to a number on two threads, without a lock.
pub(crate) fn race() {
    static NUMBER: Racy = Racy(UnsafeCell::new(0));
    let write = || {
        // SAFETY: none; see the audit.
        unsafe { *NUMBER.0.get() += 1 };
    };
    let other = thread::spawn(write);
    write();
    other.join().unwrap();
}
