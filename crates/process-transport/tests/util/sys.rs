//! The unsafe corner of the tests: closures for the child, which only an unsafe call takes. All else is
//! in the crate of test support.
#![expect(unsafe_code, reason = "these calls have no safe form")]

use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use procession_test_support::sys::{
    alarm, block, blocked, borrow, close_range, close_standard, copy_at, count_foreign,
    count_signal, counted, default_action, foreign, fork, handler, ignore, in_a_copy, is_blocked,
    is_open, leave_no_zombies, link, new_pid_namespace, put_at, set_env, unopened,
    wait_until_killed, wait_until_zombie, without_huge_pages,
};

/// Gives a command a closure for its child that fails with `errno`, or does nothing for 0.
pub(crate) fn pre_exec(
    command: procession_process_transport::Command,
    errno: i32,
) -> procession_process_transport::Command {
    let call = move || match errno {
        0 => Ok(()),
        errno => Err(std::io::Error::from_raw_os_error(errno)),
    };
    // SAFETY: the closure makes a number into a result; nothing is allocated.
    unsafe { command.pre_exec(call) }
}

/// Gives a command a closure that writes one byte to descriptor `number` of this process.
pub(crate) fn pre_exec_writing(
    command: procession_process_transport::Command,
    number: i32,
) -> procession_process_transport::Command {
    let call = move || {
        // SAFETY: one byte of a constant is written, to a number.
        let written = unsafe { libc::write(number, b"x".as_ptr().cast(), 1) };
        if written == 1 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: write is async-signal-safe, and an error number needs no memory.
    unsafe { command.pre_exec(call) }
}

/// Gives a command a closure that allocates; its error, if it is to fail, is made of memory.
pub(crate) fn pre_exec_allocating(
    command: procession_process_transport::Command,
    fails: bool,
) -> procession_process_transport::Command {
    let call = move || {
        let blocks: Vec<Vec<u8>> = (1..20).map(|size| vec![1; size * 1000]).collect();
        if fails || blocks.is_empty() { Err(std::io::Error::other("no")) } else { Ok(()) }
    };
    // SAFETY: the C library's allocator works in a copy that its fork has made.
    unsafe { command.pre_exec(call) }
}

/// 1 in a copy of this process in which [`on_fork`] has run.
static FORKED: AtomicUsize = AtomicUsize::new(0);

/// A handler that the C library calls in the copy.
extern "C" fn on_fork() {
    FORKED.store(1, Ordering::SeqCst);
}

/// Gives a command a closure that fails where no handler of a fork has run.
pub(crate) fn pre_exec_after_fork_handlers(
    command: procession_process_transport::Command,
) -> procession_process_transport::Command {
    // SAFETY: the handler is a function that stores a number.
    let result = unsafe { libc::pthread_atfork(None, None, Some(on_fork)) };
    assert_eq!(result, 0, "pthread_atfork");
    let call = || match FORKED.load(Ordering::SeqCst) {
        1 => Ok(()),
        _ => Err(std::io::Error::from_raw_os_error(libc::EILSEQ)),
    };
    // SAFETY: the closure reads a number.
    unsafe { command.pre_exec(call) }
}

/// Panics when it is dropped.
#[derive(Debug)]
struct PanicsAtItsEnd;

impl std::fmt::Display for PanicsAtItsEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an error that panics when it is dropped")
    }
}

impl std::error::Error for PanicsAtItsEnd {}

impl Drop for PanicsAtItsEnd {
    fn drop(&mut self) {
        panic!("in the child, while its error is dropped");
    }
}

/// Gives a command a closure that panics; or whose error does, when it is dropped.
pub(crate) fn pre_exec_panicking(
    command: procession_process_transport::Command,
    by_its_error: bool,
) -> procession_process_transport::Command {
    let call = move || {
        assert!(by_its_error, "in the child");
        Err(std::io::Error::other(PanicsAtItsEnd))
    };
    // SAFETY: no other thread of this process prints or allocates for long, so that no lock that a
    // panic needs stays locked in the child; and the panic is what is tested.
    unsafe { command.pre_exec(call) }
}

/// Gives a command a closure that closes all descriptors from 3 up, takes some time, and fails with
/// `errno` if that is none.
pub(crate) fn pre_exec_closing_all(
    command: procession_process_transport::Command,
    errno: i32,
) -> procession_process_transport::Command {
    let call = move || {
        close_range(3, i32::MAX);
        // SAFETY: no descriptor, and so no memory, is passed.
        unsafe { libc::poll(std::ptr::null_mut(), 0, 30) };
        if errno == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(errno)) }
    };
    // SAFETY: the calls are async-signal-safe, and the descriptors are the child's.
    unsafe { command.pre_exec(call) }
}

/// Gives a command a closure that fails where `before` is not the mask that it finds, and blocks one
/// signal more.
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
    // async-signal-safe, and makes a number into an error.
    unsafe { command.pre_exec(call) }
}
