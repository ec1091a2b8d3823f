//! The system calls of the handler and the act that are the same everywhere, one function each: all
//! of them async-signal-safe.
#![expect(unsafe_code, reason = "system calls in a signal handler")]

use std::ffi::c_int;
use std::mem;
use std::ptr;

/// The signals that end a program at its user's wish.
pub(super) const SIGNALS: [c_int; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// The calling thread's error number, put back when this is dropped.
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

/// Where this thread's error number is.
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

/// Milliseconds of the monotonic clock, which wrap around.
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

/// Waits, or until a signal.
pub(super) fn pause(milliseconds: c_int) {
    // SAFETY: no descriptor, and so no memory, is passed.
    unsafe { libc::poll(ptr::null_mut(), 0, milliseconds) };
}

/// `kill(2)`; true if it reached somebody.
pub(super) fn kill(target: c_int, signal: c_int) -> bool {
    // SAFETY: no pointer is passed.
    unsafe { libc::kill(target, signal) == 0 }
}

/// The group of a process.
#[cfg(target_os = "linux")]
pub(super) fn group_of(pid: c_int) -> Option<c_int> {
    // SAFETY: no pointer is passed.
    let group = unsafe { libc::getpgid(pid) };
    (group > 0).then_some(group)
}

/// What a signal does: the address of its handler, `SIG_DFL` or `SIG_IGN`.
pub(super) fn disposition(signal: c_int) -> usize {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut now: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: none is set, and the present one is written to a local.
    unsafe { libc::sigaction(signal, ptr::null(), &raw mut now) };
    now.sa_sigaction
}

/// Gives a signal an action, and returns the one before.
pub(super) fn set_action(signal: c_int, new: &libc::sigaction) -> libc::sigaction {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut old: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: the new action is a whole one, whose handler is async-signal-safe: ours, the default,
    // or one that was there before; the old one is written to a local.
    unsafe { libc::sigaction(signal, ptr::from_ref(new), &raw mut old) };
    old
}

/// An action: `handler` is an address or one of the numbers that stand for none. While it runs every
/// signal is blocked on its thread.
pub(super) fn action(handler: usize) -> libc::sigaction {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the set is a field of a local.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    action
}

/// Sends a signal to this thread, and lets it come.
pub(super) fn raise(signal: c_int) {
    // SAFETY: all zeros is a valid set.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the pointer leads to a local.
    unsafe { libc::sigemptyset(&raw mut set) };
    // SAFETY: as above; the signal is one of four.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: no pointer is passed.
    unsafe { libc::raise(signal) };
    // SAFETY: the set is whole, and the old one is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) };
}

/// Ends this process without running anything of it.
pub(super) fn exit(code: c_int) -> ! {
    // SAFETY: no pointer is passed.
    unsafe { libc::_exit(code) }
}
