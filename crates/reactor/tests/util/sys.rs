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

/// Blocks a signal in this thread.
pub(crate) fn block(signal: i32) {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: sigemptyset has initialised it.
    let mut set = unsafe { set.assume_init() };
    // SAFETY: the set is initialised.
    let added = unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: the set lives during the call; nobody asks for the old mask.
    let blocked =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    assert_eq!((added, blocked), (0, 0));
}
