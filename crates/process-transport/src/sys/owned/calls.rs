//! The system calls of the handler and the act that are the same on every system, one function
//! each. All are async-signal-safe.
#![expect(unsafe_code, reason = "system calls in a signal handler")]

use std::ffi::c_int;
use std::mem;
use std::ptr;

/// The signals that end a program at its user's request.
pub(super) const SIGNALS: [c_int; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// The calling thread's `errno`, restored on drop.
pub(super) struct KeptErrno(c_int);

impl KeptErrno {
    pub(super) fn new() -> Self {
        // SAFETY: the address is that of this thread's own number.
        Self(unsafe { *errno() })
    }
}

impl Drop for KeptErrno {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *errno() = self.0 };
    }
}

/// Returns the address of this thread's `errno`.
fn errno() -> *mut c_int {
    #[cfg(target_os = "linux")]
    // SAFETY: no argument.
    return unsafe { libc::__errno_location() };
    #[cfg(any(target_os = "netbsd", target_os = "openbsd"))]
    // SAFETY: no argument.
    return unsafe { libc::__errno() };
    #[cfg(not(any(target_os = "linux", target_os = "netbsd", target_os = "openbsd")))]
    // SAFETY: no argument.
    return unsafe { libc::__error() };
}

/// `getpid(2)`.
pub(super) fn own_pid() -> c_int {
    // SAFETY: no argument.
    unsafe { libc::getpid() }
}

/// Returns the monotonic clock in milliseconds, which wrap around.
pub(super) fn now_ms() -> u32 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer leads to a local.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    #[expect(clippy::cast_possible_truncation, reason = "only differences matter, which wrap")]
    #[expect(clippy::cast_sign_loss, reason = "neither is negative")]
    let milliseconds = (now.tv_sec as u32).wrapping_mul(1000);
    #[expect(clippy::cast_possible_truncation, reason = "below a thousand")]
    #[expect(clippy::cast_sign_loss, reason = "not negative")]
    milliseconds.wrapping_add((now.tv_nsec / 1_000_000) as u32)
}

/// Waits for this time, or until a signal.
pub(super) fn pause(milliseconds: c_int) {
    // SAFETY: no descriptor, and so no memory, is passed.
    unsafe { libc::poll(ptr::null_mut(), 0, milliseconds) };
}

/// `kill(2)`; returns whether it reached a process.
pub(super) fn kill(target: c_int, signal: c_int) -> bool {
    // SAFETY: no pointer is passed.
    unsafe { libc::kill(target, signal) == 0 }
}

/// Returns the group of a process.
#[cfg(target_os = "linux")]
pub(super) fn group_of(pid: c_int) -> Option<c_int> {
    // SAFETY: no pointer is passed.
    let group = unsafe { libc::getpgid(pid) };
    (group > 0).then_some(group)
}

/// Returns the disposition of a signal: the address of its handler, `SIG_DFL` or `SIG_IGN`.
pub(super) fn disposition(signal: c_int) -> usize {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut now: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: no action is set, and the present one is written to a local.
    unsafe { libc::sigaction(signal, ptr::null(), &raw mut now) };
    now.sa_sigaction
}

/// Sets the action of a signal, and returns the previous one.
pub(super) fn set_action(signal: c_int, new: &libc::sigaction) -> libc::sigaction {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut old: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: the new action is complete, and its handler is async-signal-safe: ours, the default,
    // or one that was there before; the old one is written to a local.
    unsafe { libc::sigaction(signal, ptr::from_ref(new), &raw mut old) };
    old
}

/// Creates an action: `handler` is an address or one of the constants for no handler. While it
/// runs, every signal is blocked on its thread.
pub(super) fn action(handler: usize) -> libc::sigaction {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the set is a field of a local.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    action
}

/// Sends a signal to this thread, and unblocks it.
pub(super) fn raise(signal: c_int) {
    // SAFETY: all zeros is a valid set.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the pointer leads to a local.
    unsafe { libc::sigemptyset(&raw mut set) };
    // SAFETY: as above; the signal is one of four.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: no pointer is passed.
    unsafe { libc::raise(signal) };
    // SAFETY: the set is complete, and the old one is not requested.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) };
}

/// Ends this process without running any more code of it.
pub(super) fn exit(code: c_int) -> ! {
    // SAFETY: no pointer is passed.
    unsafe { libc::_exit(code) }
}
