//! The unsafe corner of the tests: signals, descriptor numbers, variables, the watchdog.
//!
//! # Audit
//!
//! All of these change or read state of a whole process. They are called by tests that run alone in
//! a process of their own ([`super::isolated`]), whose other thread, the harness's, only waits.
//!
//! * `alarm`, `close`, `dup3`, `sigaction`, `pthread_sigmask`: each is given valid pointers to
//!   locals, or numbers only.
//! * `BorrowedFd::borrow_raw`, `OwnedFd::from_raw_fd`: the number is open and, where owned, was
//!   made here; [`unopened`] is the exception that case FD-20 wants.
//! * `set_var`: no other thread reads the environment.
#![expect(unsafe_code, reason = "these calls have no safe form")]

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Ends this process by SIGALRM after `after`, in whole seconds.
pub(crate) fn alarm(after: Duration) {
    let seconds = u32::try_from(after.as_secs()).expect("a short time");
    // SAFETY: only numbers are passed; the default action of SIGALRM is what is wanted.
    unsafe { libc::alarm(seconds) };
}

/// Waits, without the loop, for the end of a child, and does not reap it.
fn see_the_end(pid: u32) -> rustix::io::Result<rustix::process::WaitIdStatus> {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let pid = Pid::from_raw(pid.cast_signed()).expect("a pid is not 0");
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid), options).map(|waited| waited.expect("it has exited"))
}

/// Waits until a child has exited, and leaves it a zombie.
pub(crate) fn wait_until_zombie(pid: u32) {
    see_the_end(pid).expect("it is our child");
}

/// Waits until a child that the drop of a reactor has killed is dead, and says whether it is still to
/// be reaped: the drop does it where the child was quick.
pub(crate) fn wait_until_killed(pid: u32) -> bool {
    match see_the_end(pid) {
        Ok(end) => assert!(end.killed(), "{end:?}"),
        Err(error) => {
            assert_eq!(error, rustix::io::Errno::CHILD, "it is reaped, and no child any more");
            return false;
        }
    }
    true
}

/// A borrow of descriptor `number`, which is open for as long as the test uses it.
pub(crate) fn borrow(number: i32) -> BorrowedFd<'static> {
    assert!(number >= 0, "a descriptor is not negative");
    // SAFETY: the caller keeps the number open; it is not -1.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// A descriptor number that nobody opened, as something that can be inherited.
pub(crate) fn unopened(number: i32) -> BorrowedFd<'static> {
    assert!(!is_open(number), "descriptor {number} is open");
    borrow(number)
}

/// True if `number` is an open descriptor.
pub(crate) fn is_open(number: i32) -> bool {
    // SAFETY: asking for the flags of any number is harmless.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}

/// A copy of `fd` at exactly `number`, which was free.
pub(crate) fn copy_at(fd: impl AsFd, number: i32, cloexec: bool) -> OwnedFd {
    assert!(!is_open(number), "descriptor {number} is in use");
    put_at(fd, number, cloexec);
    // SAFETY: `put_at` opened this number, nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Makes `number`, open or not, a copy of `fd`; for 0, 1 and 2, which nobody owns.
pub(crate) fn put_at(fd: impl AsFd, number: i32, cloexec: bool) {
    let from = fd.as_fd().as_raw_fd();
    assert_ne!(from, number, "a copy has another number");
    let flags = if cloexec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: only numbers are passed; tests replace only numbers that nobody owns.
    let result = unsafe { libc::dup3(from, number, flags) };
    assert_eq!(result, number, "{}", std::io::Error::last_os_error());
}

/// Closes `number`, one of 0, 1 and 2.
pub(crate) fn close_standard(number: i32) {
    assert!((0..=2).contains(&number), "the others have owners");
    // SAFETY: nobody owns descriptors 0 to 2.
    unsafe { libc::close(number) };
}

/// Closes the descriptors of this process from `first` to `last`, whoever owns them, as daemons do.
pub(crate) fn close_range(first: i32, last: i32) {
    // SAFETY: takes numbers; the tests that call it own nothing there that they use again.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// The next child of this process is the first process of a new namespace.
pub(crate) fn new_pid_namespace() {
    // SAFETY: takes flags; of this process nothing changes but where its children go.
    let result = unsafe { libc::unshare(libc::CLONE_NEWPID) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// What descriptor `number` is.
pub(crate) fn link(number: i32) -> String {
    let link = std::fs::read_link(format!("/proc/self/fd/{number}")).expect("it is open");
    link.to_string_lossy().into_owned()
}

/// Sets an environment variable of this process.
pub(crate) fn set_env(key: &str, value: impl AsRef<OsStr>) {
    // SAFETY: no other thread reads the environment, see the audit.
    unsafe { std::env::set_var(key, value) };
}

/// The handler of a signal as a number: `SIG_DFL`, `SIG_IGN` or an address.
pub(crate) fn handler(signal: i32) -> usize {
    action(signal).sa_sigaction
}

/// The action of a signal.
fn action(signal: i32) -> libc::sigaction {
    let mut action = MaybeUninit::uninit();
    // SAFETY: the second pointer is null, the third is valid for a `sigaction`.
    let result = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    assert_eq!(result, 0, "signal {signal}");
    // SAFETY: the call succeeded and so filled it.
    unsafe { action.assume_init() }
}

/// Ends children without zombies: the default action, with `SA_NOCLDWAIT`.
pub(crate) fn leave_no_zombies(signal: i32) {
    set_action(signal, libc::SIG_DFL, libc::SA_RESTART | libc::SA_NOCLDWAIT);
}

/// Sets the handler of a signal to `SIG_DFL`, `SIG_IGN` or the address of an `extern "C" fn(i32)`.
fn set_handler(signal: i32, handler: usize) {
    set_action(signal, handler, libc::SA_RESTART);
}

/// The same with these flags, none of which makes the handler one of three arguments.
fn set_action(signal: i32, handler: usize, flags: i32) {
    let mut new = action(signal);
    new.sa_sigaction = handler;
    new.sa_flags = flags;
    // SAFETY: `new` is a whole `sigaction` whose handler takes one int, as its flags say.
    let result = unsafe { libc::sigaction(signal, &raw const new, std::ptr::null_mut()) };
    assert_eq!(result, 0, "signal {signal}");
}

/// Ignores a signal.
pub(crate) fn ignore(signal: i32) {
    set_handler(signal, libc::SIG_IGN);
}

/// Gives a signal its default action.
pub(crate) fn default_action(signal: i32) {
    set_handler(signal, libc::SIG_DFL);
}

/// How often [`count_signal`]'s handler ran.
static COUNTED: AtomicUsize = AtomicUsize::new(0);

/// An async-signal-safe handler.
extern "C" fn count(_signal: i32) {
    COUNTED.fetch_add(1, Ordering::SeqCst);
}

/// Installs a handler that counts.
pub(crate) fn count_signal(signal: i32) {
    let handler: extern "C" fn(i32) = count;
    set_handler(signal, handler as usize);
}

/// How often the counting handler ran so far.
pub(crate) fn counted() -> usize {
    COUNTED.load(Ordering::SeqCst)
}

/// Blocks these signals in this thread.
pub(crate) fn block(signals: &[i32]) {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointer is valid for a signal set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in signals {
        // SAFETY: the set was made by sigemptyset.
        let result = unsafe { libc::sigaddset(set.as_mut_ptr(), *signal) };
        assert_eq!(result, 0, "signal {signal}");
    }
    // SAFETY: the set is whole, the old one is not asked for.
    let result =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) };
    assert_eq!(result, 0, "pthread_sigmask");
}

/// The signals below 32 that are blocked in this thread.
pub(crate) fn blocked() -> Vec<i32> {
    (1..32).filter(|signal| is_blocked(*signal)).collect()
}

/// Whether the calling thread blocks a signal.
fn is_blocked(signal: i32) -> bool {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the new set is null, the old one valid for a signal set.
    let result =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), set.as_mut_ptr()) };
    assert_eq!(result, 0, "pthread_sigmask");
    // SAFETY: pthread_sigmask filled the set.
    unsafe { libc::sigismember(set.as_ptr(), signal) == 1 }
}

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

/// Runs `child` in a copy of this process, which ends with its result; the pid of the copy.
pub(crate) fn fork(child: impl FnOnce() -> i32) -> u32 {
    // SAFETY: the process's other thread only waits, so that it holds no lock that the copy needs.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
        // SAFETY: takes a number.
        unsafe { libc::_exit(code) };
    }
    u32::try_from(pid).expect("it forks")
}

/// The process that installed [`count_foreign`]'s handler.
static OWNER: AtomicUsize = AtomicUsize::new(0);

/// How often that handler ran in another process on the same memory.
static FOREIGN: AtomicUsize = AtomicUsize::new(0);

/// An async-signal-safe handler.
extern "C" fn count_both(_signal: i32) {
    COUNTED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: no argument; a system call, as the C library keeps no pid.
    let pid = unsafe { libc::getpid() };
    if usize::try_from(pid) != Ok(OWNER.load(Ordering::SeqCst)) {
        FOREIGN.fetch_add(1, Ordering::SeqCst);
    }
}

/// Installs a handler that counts, and counts apart where it runs in a child on our memory.
pub(crate) fn count_foreign(signal: i32) {
    let own = usize::try_from(std::process::id()).expect("a pid is small");
    OWNER.store(own, Ordering::SeqCst);
    let handler: extern "C" fn(i32) = count_both;
    set_handler(signal, handler as usize);
}

/// How often [`count_foreign`]'s handler ran in a child so far.
pub(crate) fn foreign() -> usize {
    FOREIGN.load(Ordering::SeqCst)
}

/// From now on this process's memory is in small pages, so that a copy of it costs what it does.
pub(crate) fn without_huge_pages() {
    // SAFETY: takes numbers; of this process only the size of new pages changes.
    let result = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    assert_eq!(result, 0, "PR_SET_THP_DISABLE");
}
