//! Makes a write without SIGPIPE, for a thread that has no loop.
//!
//! Rust programs start with SIGPIPE ignored, and then there is nothing to do. In other programs the
//! thread blocks the signal during the call, and takes one that became pending by it.
#![expect(unsafe_code, reason = "signal masks have no safe interface")]

use std::mem::MaybeUninit;
use std::ptr;

/// Calls `write`. SIGPIPE neither ends nor disturbs the program because of it.
pub(crate) fn without_sigpipe<R>(write: impl FnOnce() -> R) -> R {
    if is_ignored() {
        return write();
    }
    let set = sigpipe();
    // A signal that was pending before is not ours, and ours is merged with it.
    let was_pending = is_pending();
    let Some(was_blocked) = change(libc::SIG_BLOCK, &set) else { return write() };
    let result = write();
    if !was_pending && is_pending() {
        take(&set);
    }
    if !was_blocked {
        change(libc::SIG_UNBLOCK, &set);
    }
    result
}

fn is_ignored() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null action only asks; the other pointer is valid for the call.
    let answer = unsafe { libc::sigaction(libc::SIGPIPE, ptr::null(), action.as_mut_ptr()) };
    if answer != 0 {
        return true;
    }
    // SAFETY: the call has filled it, because it has succeeded.
    unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
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
    // SAFETY: the set is initialised, and the number is valid.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGPIPE) };
    set
}

fn contains(set: &libc::sigset_t) -> bool {
    // SAFETY: the set is initialised, and the number is valid.
    unsafe { libc::sigismember(set, libc::SIGPIPE) == 1 }
}

fn is_pending() -> bool {
    let mut set = empty();
    // SAFETY: the pointer is valid for the call.
    let answer = unsafe { libc::sigpending(&raw mut set) };
    answer == 0 && contains(&set)
}

/// Changes this thread's mask, and returns whether SIGPIPE was blocked before.
fn change(how: i32, set: &libc::sigset_t) -> Option<bool> {
    let mut old = empty();
    // SAFETY: both sets are initialised and live during the call.
    let answer = unsafe { libc::pthread_sigmask(how, set, &raw mut old) };
    (answer == 0).then(|| contains(&old))
}

/// Takes the pending signal, so the call does not wait.
fn take(set: &libc::sigset_t) {
    let mut taken = 0;
    // SAFETY: the set and `taken` live during the call.
    unsafe { libc::sigwait(set, &raw mut taken) };
}
