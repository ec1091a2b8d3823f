//! The unsafe corner of the tests: signals, descriptor numbers, variables, the watchdog.
//!
//! # Audit
//!
//! All of these change or read state of a whole process. They are called by tests that run alone in
//! a process of their own ([`crate::isolated`]), whose other thread, the harness's, only waits.
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
pub fn alarm(after: Duration) {
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
pub fn wait_until_zombie(pid: u32) {
    see_the_end(pid).expect("it is our child");
}

/// Waits until a child that the drop of a reactor has killed is dead, and says whether it is still to
/// be reaped: the drop does it where the child was quick.
pub fn wait_until_killed(pid: u32) -> bool {
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
pub fn borrow(number: i32) -> BorrowedFd<'static> {
    assert!(number >= 0, "a descriptor is not negative");
    // SAFETY: the caller keeps the number open; it is not -1.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// A descriptor number that nobody opened, as something that can be inherited.
pub fn unopened(number: i32) -> BorrowedFd<'static> {
    assert!(!is_open(number), "descriptor {number} is open");
    borrow(number)
}

/// True if `number` is an open descriptor.
pub fn is_open(number: i32) -> bool {
    // SAFETY: asking for the flags of any number is harmless.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}

/// A copy of `fd` at exactly `number`, which was free.
pub fn copy_at(fd: impl AsFd, number: i32, cloexec: bool) -> OwnedFd {
    assert!(!is_open(number), "descriptor {number} is in use");
    put_at(fd, number, cloexec);
    // SAFETY: `put_at` opened this number, nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Makes `number`, open or not, a copy of `fd`; for 0, 1 and 2, which nobody owns.
pub fn put_at(fd: impl AsFd, number: i32, cloexec: bool) {
    let from = fd.as_fd().as_raw_fd();
    assert_ne!(from, number, "a copy has another number");
    let flags = if cloexec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: only numbers are passed; tests replace only numbers that nobody owns.
    let result = unsafe { libc::dup3(from, number, flags) };
    assert_eq!(result, number, "{}", std::io::Error::last_os_error());
}

/// Closes `number`, one of 0, 1 and 2.
pub fn close_standard(number: i32) {
    assert!((0..=2).contains(&number), "the others have owners");
    // SAFETY: nobody owns descriptors 0 to 2.
    unsafe { libc::close(number) };
}

/// Closes the descriptors of this process from `first` to `last`, whoever owns them, as daemons do.
pub fn close_range(first: i32, last: i32) {
    // SAFETY: takes numbers; the tests that call it own nothing there that they use again.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// The next child of this process is the first process of a new namespace.
pub fn new_pid_namespace() {
    // SAFETY: takes flags; of this process nothing changes but where its children go.
    let result = unsafe { libc::unshare(libc::CLONE_NEWPID) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// What descriptor `number` is.
pub fn link(number: i32) -> String {
    let link = std::fs::read_link(format!("/proc/self/fd/{number}")).expect("it is open");
    link.to_string_lossy().into_owned()
}

/// Sets an environment variable of this process.
pub fn set_env(key: &str, value: impl AsRef<OsStr>) {
    // SAFETY: no other thread reads the environment, see the audit.
    unsafe { std::env::set_var(key, value) };
}

/// The handler of a signal as a number: `SIG_DFL`, `SIG_IGN` or an address.
pub fn handler(signal: i32) -> usize {
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
pub fn leave_no_zombies(signal: i32) {
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
pub fn ignore(signal: i32) {
    set_handler(signal, libc::SIG_IGN);
}

/// Gives a signal its default action.
pub fn default_action(signal: i32) {
    set_handler(signal, libc::SIG_DFL);
}

/// How often [`count_signal`]'s handler ran.
static COUNTED: AtomicUsize = AtomicUsize::new(0);

/// An async-signal-safe handler.
extern "C" fn count(_signal: i32) {
    COUNTED.fetch_add(1, Ordering::SeqCst);
}

/// Installs a handler that counts.
pub fn count_signal(signal: i32) {
    let handler: extern "C" fn(i32) = count;
    set_handler(signal, handler as usize);
}

/// How often the counting handler ran so far.
pub fn counted() -> usize {
    COUNTED.load(Ordering::SeqCst)
}

/// Blocks these signals in this thread.
pub fn block(signals: &[i32]) {
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
pub fn blocked() -> Vec<i32> {
    (1..32).filter(|signal| is_blocked(*signal)).collect()
}

/// Returns whether the calling thread blocks a signal.
pub fn is_blocked(signal: i32) -> bool {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the new set is null, the old one valid for a signal set.
    let result =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), set.as_mut_ptr()) };
    assert_eq!(result, 0, "pthread_sigmask");
    // SAFETY: pthread_sigmask filled the set.
    unsafe { libc::sigismember(set.as_ptr(), signal) == 1 }
}

/// Runs `child` in a copy of this process, which ends with its result; the pid of the copy.
pub fn fork(child: impl FnOnce() -> i32) -> u32 {
    // SAFETY: the process's other thread only waits, so that it holds no lock that the copy needs.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
        // SAFETY: takes a number.
        unsafe { libc::_exit(code) };
    }
    u32::try_from(pid).expect("it forks")
}

/// Runs `copy` in a copy of this process, which returns from `main` then.
pub fn in_a_copy(copy: impl FnOnce()) {
    // SAFETY: the caller is alone in its process but for the harness's thread, which only waits and so
    // holds no lock that the copy needs.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let run = std::panic::AssertUnwindSafe(copy);
        let code = std::panic::catch_unwind(run).map_or(101, |()| 0);
        std::process::exit(code)
    }
    let waited = rustix::process::waitpid(
        rustix::process::Pid::from_raw(pid),
        rustix::process::WaitOptions::empty(),
    );
    let (_, status) = waited.expect("it is our child").expect("it has ended");
    assert_eq!(status.exit_status(), Some(0), "{status:?}");
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
pub fn count_foreign(signal: i32) {
    let own = usize::try_from(std::process::id()).expect("a pid is small");
    OWNER.store(own, Ordering::SeqCst);
    let handler: extern "C" fn(i32) = count_both;
    set_handler(signal, handler as usize);
}

/// How often [`count_foreign`]'s handler ran in a child so far.
pub fn foreign() -> usize {
    FOREIGN.load(Ordering::SeqCst)
}

/// From now on this process's memory is in small pages, so that a copy of it costs what it does.
pub fn without_huge_pages() {
    // SAFETY: takes numbers; of this process only the size of new pages changes.
    let result = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    assert_eq!(result, 0, "PR_SET_THP_DISABLE");
}
