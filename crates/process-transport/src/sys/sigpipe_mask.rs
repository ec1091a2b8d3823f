//! This thread's signal mask and its pending signals, as far as SIGPIPE is concerned.
//!
//! The reactor and the process transport have the same file. The reactor must not know processes, the
//! transport's spawner must not bring a loop, and the crate below both makes no system calls. A test
//! of the facade compares the two files.
#![expect(unsafe_code, reason = "signal masks have no safe interface")]

use std::mem::MaybeUninit;

/// Blocks SIGPIPE. Returns whether it was blocked before, or `None` if the call failed, which happens
/// only for an unknown `how`.
pub(super) fn block() -> Option<bool> {
    change(libc::SIG_BLOCK)
}

/// Undoes [`block`], if SIGPIPE was not blocked before.
pub(super) fn unblock() {
    change(libc::SIG_UNBLOCK);
}

/// Returns whether SIGPIPE is pending, for this thread or for the process.
pub(super) fn is_pending() -> bool {
    let mut set = empty();
    // SAFETY: the pointer is valid for the call.
    let answer = unsafe { libc::sigpending(&raw mut set) };
    answer == 0 && contains(&set)
}

/// Takes a pending SIGPIPE, if there is one, and does not wait. SIGPIPE must be blocked.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn take() {
    let set = sigpipe();
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the set and the timeout live during the call; a null siginfo is allowed.
    unsafe { libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const now) };
}

/// Takes a pending SIGPIPE, if there is one, and does not wait. SIGPIPE must be blocked.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn take() {
    if is_pending() {
        take_or_make();
    }
}

/// Takes a SIGPIPE without waiting, where `sigtimedwait` does not exist.
///
/// `sigwait` alone would wait for ever if another thread has taken a signal that was pending for the
/// process. So this thread first sends one to itself: no other thread can take that. A second signal
/// that is pending for this thread is the same as one.
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
fn take_or_make() {
    let set = sigpipe();
    let mut taken = 0;
    // SAFETY: the number is valid. The signal is blocked, so it stays pending.
    unsafe { libc::raise(libc::SIGPIPE) };
    // SAFETY: the set and `taken` live during the call.
    unsafe { libc::sigwait(&raw const set, &raw mut taken) };
}

fn change(how: i32) -> Option<bool> {
    let set = sigpipe();
    let mut old = empty();
    // SAFETY: both sets are initialised and live during the call.
    let answer = unsafe { libc::pthread_sigmask(how, &raw const set, &raw mut old) };
    (answer == 0).then(|| contains(&old))
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::{block, is_pending, take, take_or_make, unblock};

    const TAKES: [fn(); 2] = [take, take_or_make];

    fn raise() {
        // SAFETY: the number is valid, and the signal is blocked.
        unsafe { libc::raise(libc::SIGPIPE) };
    }

    /// Another thread may have taken the signal since this thread has seen it.
    #[test]
    fn taking_what_is_gone_does_not_wait() {
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            assert_eq!(block(), Some(false));
            for take in TAKES {
                take();
            }
            done.send(is_pending()).expect("the test waits");
        });
        assert_eq!(is_done.recv_timeout(Duration::from_secs(60)), Ok(false));
    }

    #[test]
    fn what_is_pending_is_taken_once() {
        for take in TAKES {
            assert_eq!((block(), block()), (Some(false), Some(true)));
            raise();
            raise();
            assert!(is_pending());
            take();
            assert!(!is_pending());
            unblock();
        }
    }
}
