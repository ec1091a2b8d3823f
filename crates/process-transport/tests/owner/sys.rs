//! The unsafe corner of the program: signals and a forked copy.
//!
//! # Audit
//!
//! * `sigaction`: given whole actions, with handlers that store to atomics, call `_exit` and what the
//!   library calls async-signal-safe, or call the handler that was there before.
//! * `fork`: the program has one thread.
//! * `pause`, `_exit`: numbers, or nothing, are passed.
#![expect(unsafe_code, reason = "these calls have no safe form")]

use std::ffi::c_int;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use procession_process_transport::end_owned_groups;

/// Sets the action of a signal and returns what it was.
fn set(signal: c_int, handler: usize) -> usize {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut new: libc::sigaction = unsafe { mem::zeroed() };
    new.sa_sigaction = handler;
    new.sa_flags = libc::SA_RESTART;
    // SAFETY: as above.
    let mut old: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: the new action is whole, the old one goes to a local.
    let result = unsafe { libc::sigaction(signal, &raw const new, &raw mut old) };
    assert_eq!(result, 0, "signal {signal}");
    old.sa_sigaction
}

/// The four signals do by default what they do, whoever started this program.
pub(crate) fn default_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        set(signal, libc::SIG_DFL);
    }
}

pub(crate) fn ignore(signal: c_int) {
    set(signal, libc::SIG_IGN);
}

extern "C" fn exit_with_7(_signal: c_int) {
    // SAFETY: takes a number.
    unsafe { libc::_exit(7) }
}

pub(crate) fn exit_with_7_at(signal: c_int) {
    let handler: extern "C" fn(c_int) = exit_with_7;
    set(signal, handler as usize);
}

extern "C" fn end_groups_and_exit(_signal: c_int) {
    end_owned_groups();
    // SAFETY: takes a number.
    unsafe { libc::_exit(9) }
}

pub(crate) fn end_groups_and_exit_at(signal: c_int) {
    let handler: extern "C" fn(c_int) = end_groups_and_exit;
    set(signal, handler as usize);
}

/// How often the chaining handler ran, and the address of the one before it.
static CHAINED: AtomicUsize = AtomicUsize::new(0);
static BEFORE: AtomicUsize = AtomicUsize::new(0);

/// As the handlers of signal-hook and tokio do: first the one before, then its own act.
extern "C" fn count_and_chain(signal: c_int) {
    let before = BEFORE.load(Ordering::SeqCst);
    if before > libc::SIG_IGN {
        // SAFETY: the address of a handler of one number, as its action had no SA_SIGINFO.
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

/// Ends this process, and runs nothing of it.
pub(crate) fn exit_at_once(status: u8) -> ! {
    // SAFETY: takes a number.
    unsafe { libc::_exit(status.into()) }
}

/// A copy of this program that exits at once, as programs do; its pid.
pub(crate) fn fork_and_exit() -> c_int {
    // SAFETY: one thread, so that nobody holds a lock that the copy needs.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        std::process::exit(0);
    }
    pid
}

/// Memory of this process comes in pages of 4 KiB, of which there are more to free.
pub(crate) fn without_huge_pages() {
    #[cfg(target_os = "linux")]
    // SAFETY: takes numbers.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0)
    };
}

/// Waits for a signal, or for a moment: one that came just before has been seen.
pub(crate) fn pause() {
    // SAFETY: no descriptor, and so no memory, is passed.
    unsafe { libc::poll(ptr::null_mut(), 0, 50) };
}

/// A copy of this program that only waits, until a signal ends it; its pid.
pub(crate) fn fork_and_pause() -> c_int {
    // SAFETY: one thread, so that nobody holds a lock that the copy needs.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        loop {
            pause();
        }
    }
    pid
}
