//! Identifies the main thread and the first process of a PID namespace. Signals that end a program
//! concern its main thread, and act differently on that first process.
#![cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    expect(unsafe_code, reason = "the question for the main thread has no safe interface there")
)]

use rustix::process::{Pid, getpid};

/// Returns whether this is the thread that `main` runs in.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_main_thread() -> bool {
    rustix::thread::gettid() == getpid()
}

/// Returns whether this is the thread that `main` runs in.
#[cfg(target_os = "netbsd")]
pub(crate) fn is_main_thread() -> bool {
    // SAFETY: the function has no arguments and no effect.
    unsafe { libc::_lwp_self() == 1 }
}

/// Returns whether this is the thread that `main` runs in.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "netbsd")))]
pub(crate) fn is_main_thread() -> bool {
    // SAFETY: the function has no arguments and no effect.
    unsafe { libc::pthread_main_np() == 1 }
}

/// Returns whether this is the first process of its PID namespace, or of the system.
/// Async-signal-safe.
pub(crate) fn is_first_process() -> bool {
    getpid() == Pid::INIT
}
