//! Prevents SIGPIPE from ending or disturbing a program because of the reactor's own writes.
//!
//! Rust programs start with SIGPIPE ignored, and then there is nothing to do. In other programs (a
//! C program with a Rust library in it, a program that restored the default) the loop's thread
//! blocks the signal while a turn runs, and while a pipe is flushed outside a turn. It takes a
//! signal that became pending meanwhile before it restores the mask. A thread that is started
//! inside a callback inherits the mask. A child need not: `SIGPIPE_IS_BLOCKED_BY_LOOP` says whether
//! to unblock it.
#![expect(unsafe_code, reason = "signal masks have no safe interface")]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::ptr;

use procession_core::driver::SIGPIPE_IS_BLOCKED_BY_LOOP;

use super::signals::{Disposition, disposition};

/// SIGPIPE is blocked in this thread until this value is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct SigpipeBlocked {
    /// SIGPIPE was not blocked before: unblock it at the end.
    unblock: bool,
    /// A mask belongs to a thread.
    _not_send: PhantomData<*const ()>,
}

/// Blocks SIGPIPE in this thread. `None` if nothing has to be undone.
pub(crate) fn block() -> Option<SigpipeBlocked> {
    // The number is valid, so this cannot fail. If it did, doing nothing would be right.
    let Ok(Disposition::Default | Disposition::Handler) = disposition(libc::SIGPIPE) else {
        return None;
    };
    let old = change(libc::SIG_BLOCK)?;
    let blocked_before = contains(&old);
    if blocked_before && pending().is_some_and(|pending| contains(&pending)) {
        return None; // the pending signal is not ours, and ours would be merged with it
    }
    if !blocked_before {
        SIGPIPE_IS_BLOCKED_BY_LOOP.set(true);
    }
    Some(SigpipeBlocked { unblock: !blocked_before, _not_send: PhantomData })
}

impl Drop for SigpipeBlocked {
    fn drop(&mut self) {
        take();
        if self.unblock {
            SIGPIPE_IS_BLOCKED_BY_LOOP.set(false);
            change(libc::SIG_UNBLOCK);
        }
    }
}

fn empty() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: sigemptyset has initialised it; it fails only for an invalid pointer.
    unsafe { set.assume_init() }
}

fn sigpipe() -> libc::sigset_t {
    let mut set = empty();
    // SAFETY: the set is initialised, the number is valid.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGPIPE) };
    set
}

fn contains(set: &libc::sigset_t) -> bool {
    // SAFETY: the set is initialised, the number is valid.
    unsafe { libc::sigismember(set, libc::SIGPIPE) == 1 }
}

/// Changes the mask and returns the previous one. `None` if the call failed, which happens only for
/// an unknown `how`.
fn change(how: i32) -> Option<libc::sigset_t> {
    let set = sigpipe();
    let mut old = empty();
    // SAFETY: both sets are initialised and live during the call.
    let answer = unsafe { libc::pthread_sigmask(how, &raw const set, &raw mut old) };
    (answer == 0).then_some(old)
}

fn pending() -> Option<libc::sigset_t> {
    let mut set = empty();
    // SAFETY: the pointer is valid for the call.
    let answer = unsafe { libc::sigpending(&raw mut set) };
    (answer == 0).then_some(set)
}

/// Takes a pending SIGPIPE, if there is one.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn take() {
    let set = sigpipe();
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the set and the timeout live during the call; a null siginfo is allowed.
    unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const now) };
}

/// Takes a pending SIGPIPE, if there is one.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn take() {
    if pending().is_some_and(|pending| contains(&pending)) {
        let set = sigpipe();
        let mut taken = 0;
        // SAFETY: the set and `taken` live during the call. The signal is pending, so the call does
        // not wait.
        unsafe { libc::sigwait(&raw const set, &raw mut taken) };
    }
}
