//! The unsafe code of the tests: closures that run in the child, which only an unsafe call accepts.
//! All other unsafe code is in the test-support crate.
#![expect(unsafe_code, reason = "these calls have no safe form")]

use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use procession_test_support::sys::{
    alarm, assert_exits_with_0, block, blocked, borrow, close_range, close_standard, copy_at,
    count_foreign, count_signal, counted, default_action, foreign, fork, handler, ignore,
    in_a_copy, is_blocked, is_open, leave_no_zombies, link, may_share_descriptors,
    new_pid_namespace, put_at, remove_env, set_env, unopened, wait_until_killed, wait_until_zombie,
    without_huge_pages,
};

/// Adds a closure to a command that fails in the child with `errno`, or succeeds if that is 0.
pub(crate) fn pre_exec(
    command: procession_process_transport::Command,
    errno: i32,
) -> procession_process_transport::Command {
    let call = move || match errno {
        0 => Ok(()),
        errno => Err(std::io::Error::from_raw_os_error(errno)),
    };
    // SAFETY: the closure turns a number into a result and allocates nothing.
    unsafe { command.pre_exec(call) }
}

/// Adds a closure to a command that writes one byte to descriptor `number`.
pub(crate) fn pre_exec_writing(
    command: procession_process_transport::Command,
    number: i32,
) -> procession_process_transport::Command {
    let call = move || {
        // SAFETY: it writes one byte of a constant to a descriptor number.
        let written = unsafe { libc::write(number, b"x".as_ptr().cast(), 1) };
        if written == 1 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: `write` is async-signal-safe, and an error number needs no memory.
    unsafe { command.pre_exec(call) }
}

/// Adds a closure to a command that allocates memory. If it `fails`, its error is allocated too.
pub(crate) fn pre_exec_allocating(
    command: procession_process_transport::Command,
    fails: bool,
) -> procession_process_transport::Command {
    let call = move || {
        let blocks: Vec<Vec<u8>> = (1..20).map(|size| vec![1; size * 1000]).collect();
        if fails || blocks.is_empty() { Err(std::io::Error::other("no")) } else { Ok(()) }
    };
    // SAFETY: the C library's allocator works in a process that its own `fork` has made.
    unsafe { command.pre_exec(call) }
}

/// 1 in a forked copy of this process in which [`on_fork`] has run.
static FORKED: AtomicUsize = AtomicUsize::new(0);

/// A handler that the C library calls in the forked copy.
extern "C" fn on_fork() {
    FORKED.store(1, Ordering::SeqCst);
}

/// Adds a closure to a command that fails with EILSEQ if the fork handler has not run.
pub(crate) fn pre_exec_after_fork_handlers(
    command: procession_process_transport::Command,
) -> procession_process_transport::Command {
    // SAFETY: the handler only stores a number.
    let result = unsafe { libc::pthread_atfork(None, None, Some(on_fork)) };
    assert_eq!(result, 0, "pthread_atfork");
    let call = || match FORKED.load(Ordering::SeqCst) {
        1 => Ok(()),
        _ => Err(std::io::Error::from_raw_os_error(libc::EILSEQ)),
    };
    // SAFETY: the closure only reads a number.
    unsafe { command.pre_exec(call) }
}

/// An error that panics when it is dropped.
#[derive(Debug)]
struct PanicsOnDrop;

impl std::fmt::Display for PanicsOnDrop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an error that panics when it is dropped")
    }
}

impl std::error::Error for PanicsOnDrop {}

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("in the child, while its error is dropped");
    }
}

/// Adds a closure to a command that panics, or returns an error that panics when it is dropped.
pub(crate) fn pre_exec_panicking(
    command: procession_process_transport::Command,
    by_its_error: bool,
) -> procession_process_transport::Command {
    let call = move || {
        assert!(by_its_error, "in the child");
        Err(std::io::Error::other(PanicsOnDrop))
    };
    // SAFETY: no other thread of this process prints or allocates for long, so no lock that a panic
    // needs stays locked in the child. The test is about this panic.
    unsafe { command.pre_exec(call) }
}

/// Adds a closure to a command that closes all descriptors from 3 up, waits 30 ms, and then fails
/// with `errno`, or succeeds if that is 0.
pub(crate) fn pre_exec_closing_all(
    command: procession_process_transport::Command,
    errno: i32,
) -> procession_process_transport::Command {
    let call = move || {
        close_range(3, i32::MAX);
        // SAFETY: no descriptors are passed, so the pointer is not read.
        unsafe { libc::poll(std::ptr::null_mut(), 0, 30) };
        if errno == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(errno)) }
    };
    // SAFETY: the calls are async-signal-safe, and the descriptors belong to the child.
    unsafe { command.pre_exec(call) }
}

/// Adds a closure to a command that fails with EILSEQ if the signal mask is not `before`, and then
/// blocks `signal` as well.
pub(crate) fn pre_exec_blocking(
    command: procession_process_transport::Command,
    before: &'static [i32],
    signal: i32,
) -> procession_process_transport::Command {
    let call = move || {
        if !(1..32).filter(|signal| is_blocked(*signal)).eq(before.iter().copied()) {
            return Err(std::io::Error::from_raw_os_error(libc::EILSEQ));
        }
        block(&[signal]);
        Ok(())
    };
    // SAFETY: the closure calls sigemptyset, sigaddset, sigismember and pthread_sigmask, which are
    // async-signal-safe, and turns a number into an error.
    unsafe { command.pre_exec(call) }
}
