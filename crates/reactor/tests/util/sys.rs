//! What tests need of the system that has no safe interface.
//!
//! # Audit
//!
//! Both set dispositions, in processes that run one test: nothing else there changes them.
#![expect(unsafe_code, reason = "dispositions have no safe interface")]

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
