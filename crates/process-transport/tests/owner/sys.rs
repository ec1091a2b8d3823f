//! The system calls of the program that need unsafe code: signals and forked copies.
//!
//! # Audit
//!
//! `sigaction`: the actions are complete. Their handlers store to atomics, call `_exit` and library
//! functions that are documented as async-signal-safe, or call the previous handler.
//! `fork`: the program has one thread.
//! `pause`, `_exit`: the arguments are numbers, or there are none.
#![expect(unsafe_code, reason = "these calls have no safe form")]

use std::ffi::c_int;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use procession_process_transport::end_owned_groups;

/// Sets the action of a signal and returns the previous handler.
fn set(signal: c_int, handler: usize) -> usize {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut new: libc::sigaction = unsafe { mem::zeroed() };
    new.sa_sigaction = handler;
    new.sa_flags = libc::SA_RESTART;
    // SAFETY: as above.
    let mut old: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: the new action is complete, and the old one goes to a local.
    let result = unsafe { libc::sigaction(signal, &raw const new, &raw mut old) };
    assert_eq!(result, 0, "signal {signal}");
    old.sa_sigaction
}

/// Sets the four signals to their default action, whatever the parent of this program did.
pub(crate) fn default_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        set(signal, libc::SIG_DFL);
    }
}

pub(crate) fn ignore(signal: c_int) {
    set(signal, libc::SIG_IGN);
}

extern "C" fn exit_with_7(_signal: c_int) {
    // SAFETY: the argument is a number.
    unsafe { libc::_exit(7) }
}

pub(crate) fn exit_with_7_at(signal: c_int) {
    let handler: extern "C" fn(c_int) = exit_with_7;
    set(signal, handler as usize);
}

extern "C" fn end_groups_and_exit(_signal: c_int) {
    end_owned_groups();
    // SAFETY: the argument is a number.
    unsafe { libc::_exit(9) }
}

pub(crate) fn end_groups_and_exit_at(signal: c_int) {
    let handler: extern "C" fn(c_int) = end_groups_and_exit;
    set(signal, handler as usize);
}

/// How often the chaining handler ran, and the address of the previous handler.
static CHAINED: AtomicUsize = AtomicUsize::new(0);
static BEFORE: AtomicUsize = AtomicUsize::new(0);

/// Calls the previous handler first and then acts, as the handlers of signal-hook and tokio do.
extern "C" fn count_and_chain(signal: c_int) {
    let before = BEFORE.load(Ordering::SeqCst);
    if before > libc::SIG_IGN {
        // SAFETY: the address is a handler that takes one number, because its action had no
        // SA_SIGINFO.
        let before: extern "C" fn(c_int) = unsafe { mem::transmute::<usize, _>(before) };
        before(signal);
    }
    CHAINED.fetch_add(1, Ordering::SeqCst);
}

pub(crate) fn count_and_chain_at(signal: c_int) {
    let handler: extern "C" fn(c_int) = count_and_chain;
    BEFORE.store(set(signal, handler as usize), Ordering::SeqCst);
}

pub(crate) fn chained() -> usize {
    CHAINED.load(Ordering::SeqCst)
}

/// Waits until the chaining handler has run.
pub(crate) fn until_chained() {
    while chained() == 0 {
        pause();
    }
}

/// Ends this process without running any code of it.
pub(crate) fn exit_at_once(status: u8) -> ! {
    // SAFETY: the argument is a number.
    unsafe { libc::_exit(status.into()) }
}

/// Forks a copy that exits at once, as programs do. Returns its pid.
pub(crate) fn fork_and_exit() -> c_int {
    // SAFETY: the program has one thread, so no other thread holds a lock that the copy needs.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        std::process::exit(0);
    }
    pid
}

/// Gives this process pages of 4 KiB, because the kernel needs longer to free many of them.
pub(crate) fn without_huge_pages() {
    #[cfg(target_os = "linux")]
    // SAFETY: the arguments are numbers.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0)
    };
}

/// Waits for a signal, but only for a moment, because a signal may have come just before.
pub(crate) fn pause() {
    // SAFETY: no descriptors and no memory are passed.
    unsafe { libc::poll(ptr::null_mut(), 0, 50) };
}

/// Forks a copy that only waits until a signal ends it. Returns its pid.
pub(crate) fn fork_and_pause() -> c_int {
    // SAFETY: the program has one thread, so no other thread holds a lock that the copy needs.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        loop {
            pause();
        }
    }
    pid
}
