//! What tests need of the system that has no safe interface.
//!
//! # Audit
//!
//! Dispositions are set, and standard descriptors closed, in processes that run one test: nothing
//! else there changes or uses them.
#![expect(unsafe_code, reason = "neither has a safe interface")]

use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// How often [`count`] has run.
pub(crate) static COUNTED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: i32) {
    COUNTED.fetch_add(1, SeqCst);
}

/// What a signal is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Default,
    Ignore,
    Count,
}

/// Sets the disposition of a signal.
pub(crate) fn set(signal: i32, action: Action) {
    let action = match action {
        Action::Default => libc::SIG_DFL,
        Action::Ignore => libc::SIG_IGN,
        Action::Count => count as extern "C" fn(i32) as libc::sighandler_t,
    };
    // SAFETY: `count` is async-signal-safe, the others are no handlers.
    let before = unsafe { libc::signal(signal, action) };
    assert_ne!(before, libc::SIG_ERR);
}

/// Closes a standard descriptor, which is open.
pub(crate) fn close(standard: i32) {
    assert!((0..3).contains(&standard));
    // SAFETY: nothing in this process owns it, and std's streams take a closed one for an end.
    drop(unsafe { OwnedFd::from_raw_fd(standard) });
}
