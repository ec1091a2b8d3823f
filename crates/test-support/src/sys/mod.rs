//! The unsafe code of the tests: signals, descriptor numbers, environment variables, the watchdog.
//!
//! # Audit
//!
//! All of these functions change or read the state of a whole process. Only tests that run alone in
//! their own process ([`crate::isolated`]) call them. The other thread there, the harness's, only
//! waits.
//!
//! * `alarm`, `close`, `dup3`, `sigaction`, `pthread_sigmask`: each gets only valid pointers to
//!   locals, or numbers.
//! * `BorrowedFd::borrow_raw`, `OwnedFd::from_raw_fd`: the number is open, and if it becomes owned,
//!   this module opened it. [`unopened`] is the exception, for case FD-20.
//! * `set_var`: no other thread reads the environment.
//! * `clone`: the child only returns a number, on a stack of its own; this thread waits for that, and no
//!   signal is delivered meanwhile.
#![expect(unsafe_code, reason = "these calls have no safe form")]

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::bound;

/// Has SIGALRM end this process after [`bound()`] of `after`, rounded down to whole seconds.
pub fn alarm(after: Duration) {
    let seconds = u32::try_from(bound(after).as_secs()).expect("a short time");
    // SAFETY: only numbers are passed. The default action of SIGALRM is intended.
    unsafe { libc::alarm(seconds) };
}

/// Waits, without the loop, until a child has ended, and does not reap it.
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

/// Waits until a child that the drop of a reactor killed is dead, and returns whether it still has
/// to be reaped. The drop reaps a child that dies quickly.
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

/// Borrows descriptor `number`, which the test keeps open while it uses the borrow.
pub fn borrow(number: i32) -> BorrowedFd<'static> {
    assert!(number >= 0, "a descriptor is not negative");
    // SAFETY: the caller keeps the number open; it is not -1.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Returns a descriptor number that is not open as a borrowed descriptor, to be inherited.
pub fn unopened(number: i32) -> BorrowedFd<'static> {
    assert!(!is_open(number), "descriptor {number} is open");
    borrow(number)
}

/// Returns whether `number` is an open descriptor.
pub fn is_open(number: i32) -> bool {
    // SAFETY: reading the flags of any number is harmless.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}

/// Copies `fd` to exactly `number`, which must be free.
pub fn copy_at(fd: impl AsFd, number: i32, cloexec: bool) -> OwnedFd {
    assert!(!is_open(number), "descriptor {number} is in use");
    put_at(fd, number, cloexec);
    // SAFETY: `put_at` opened this number, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Makes `number`, open or not, a copy of `fd`. For numbers without an owner, such as 0, 1 and 2.
pub fn put_at(fd: impl AsFd, number: i32, cloexec: bool) {
    let from = fd.as_fd().as_raw_fd();
    assert_ne!(from, number, "a copy has another number");
    let flags = if cloexec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: only numbers are passed. Tests replace only numbers that nothing owns.
    let result = unsafe { libc::dup3(from, number, flags) };
    assert_eq!(result, number, "{}", std::io::Error::last_os_error());
}

/// Closes `number`, which is 0, 1 or 2.
pub fn close_standard(number: i32) {
    assert!((0..=2).contains(&number), "the others have owners");
    // SAFETY: nothing owns descriptors 0 to 2.
    unsafe { libc::close(number) };
}

/// Closes the descriptors of this process from `first` to `last`, owned or not, as daemons do.
pub fn close_range(first: i32, last: i32) {
    // SAFETY: only numbers are passed. The caller uses no descriptor of this range afterwards.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// Makes the next child of this process the first process of a new PID namespace.
pub fn new_pid_namespace() {
    // SAFETY: only flags are passed. Nothing changes but the namespace of the children.
    let result = unsafe { libc::unshare(libc::CLONE_NEWPID) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// Returns the link of descriptor `number` in /proc, which says what it is.
pub fn link(number: i32) -> String {
    let link = std::fs::read_link(format!("/proc/self/fd/{number}")).expect("it is open");
    link.to_string_lossy().into_owned()
}

/// Sets an environment variable of this process.
pub fn set_env(key: &str, value: impl AsRef<OsStr>) {
    // SAFETY: no other thread reads the environment: see the audit.
    unsafe { std::env::set_var(key, value) };
}

/// Removes a variable of this process.
pub fn remove_env(key: &str) {
    // SAFETY: no other thread reads the environment: see the audit.
    unsafe { std::env::remove_var(key) };
}

/// Returns the handler of a signal as a number: `SIG_DFL`, `SIG_IGN` or an address.
pub fn handler(signal: i32) -> usize {
    action(signal).sa_sigaction
}

/// Returns the action of a signal.
fn action(signal: i32) -> libc::sigaction {
    let mut action = MaybeUninit::uninit();
    // SAFETY: the second pointer is null, the third is valid for a `sigaction`.
    let result = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    assert_eq!(result, 0, "signal {signal}");
    // SAFETY: the call succeeded, so it filled the value.
    unsafe { action.assume_init() }
}

/// Makes children end without zombies: sets the default action with `SA_NOCLDWAIT`.
pub fn leave_no_zombies(signal: i32) {
    set_action(signal, libc::SIG_DFL, libc::SA_RESTART | libc::SA_NOCLDWAIT);
}

/// Sets the handler of a signal to `SIG_DFL`, `SIG_IGN` or the address of an `extern "C" fn(i32)`.
fn set_handler(signal: i32, handler: usize) {
    set_action(signal, handler, libc::SA_RESTART);
}

/// Sets the handler and the flags of a signal. `SA_SIGINFO` must not be among the flags.
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

/// Gives the signals that end a program their default actions. A shell starts the jobs of its
/// background with SIGINT and SIGQUIT ignored, and `nohup` ignores SIGHUP.
pub fn default_ending_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        default_action(signal);
    }
}

/// How often the handler of [`count_signal`] ran.
static COUNTED: AtomicUsize = AtomicUsize::new(0);

/// An async-signal-safe handler.
extern "C" fn count(_signal: i32) {
    COUNTED.fetch_add(1, Ordering::SeqCst);
}

/// Installs a handler that counts the signals.
pub fn count_signal(signal: i32) {
    let handler: extern "C" fn(i32) = count;
    set_handler(signal, handler as usize);
}

/// Returns how often the counting handler has run.
pub fn counted() -> usize {
    COUNTED.load(Ordering::SeqCst)
}

/// Blocks these signals in this thread.
pub fn block(signals: &[i32]) {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointer is valid for a signal set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in signals {
        // SAFETY: sigemptyset has initialised the set.
        let result = unsafe { libc::sigaddset(set.as_mut_ptr(), *signal) };
        assert_eq!(result, 0, "signal {signal}");
    }
    // SAFETY: the set is initialised. The pointer to the old set is null.
    let result =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) };
    assert_eq!(result, 0, "pthread_sigmask");
}

/// Returns the signals below 32 that this thread blocks.
pub fn blocked() -> Vec<i32> {
    (1..32).filter(|signal| is_blocked(*signal)).collect()
}

/// Returns whether the calling thread blocks a signal.
pub fn is_blocked(signal: i32) -> bool {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer to the new set is null. The one to the old set is valid for a signal set.
    let result =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), set.as_mut_ptr()) };
    assert_eq!(result, 0, "pthread_sigmask");
    // SAFETY: pthread_sigmask has filled the set.
    unsafe { libc::sigismember(set.as_ptr(), signal) == 1 }
}

/// Runs `child` in a forked copy of this process, which exits with its result. Returns the copy's
/// pid.
pub fn fork(child: impl FnOnce() -> i32) -> u32 {
    // SAFETY: the other thread of this process only waits, so it holds no lock that the copy needs.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
        // SAFETY: only a number is passed.
        unsafe { libc::_exit(code) };
    }
    u32::try_from(pid).expect("it forks")
}

/// Returns whether a child may share this process's memory and descriptor table until its exec. qemu's
/// user mode refuses that with EINVAL.
pub fn may_share_descriptors() -> bool {
    extern "C" fn ends(_: *mut std::ffi::c_void) -> i32 {
        0
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES | libc::SIGCHLD;
    let mut stack = vec![0_u128; 4096];
    let top = stack.as_mut_ptr_range().end.cast();
    let [mut all, mut before] = [MaybeUninit::uninit(), MaybeUninit::uninit()];
    // SAFETY: the pointer is valid for a signal set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the first set is initialised, and the pointer to the second is valid for a signal set.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    // SAFETY: the stack lives until the child has ended, since CLONE_VFORK waits for that. The child
    // calls and writes nothing else, and no handler runs in it.
    let pid = unsafe { libc::clone(ends, top, flags, std::ptr::null_mut()) };
    let refused = pid == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL);
    // SAFETY: pthread_sigmask has filled the set. The pointer to the old set is null.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    if let Some(pid) = rustix::process::Pid::from_raw(pid.max(0)) {
        rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())
            .expect("it is our child");
    }
    !refused
}

/// Runs `copy` in a forked copy of this process, which then exits as if `main` had returned, and
/// waits for its success.
pub fn in_a_copy(copy: impl FnOnce()) {
    let pid = fork(|| {
        alarm(Duration::from_secs(20)); // a copy has no alarm of its parent's
        copy();
        std::process::exit(0)
    });
    assert_exits_with_0(pid, "a forked copy");
}

/// Waits until a child has ended, and asserts that it has succeeded.
#[track_caller]
pub fn assert_exits_with_0(pid: u32, what: &str) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed());
    let waited = rustix::process::waitpid(pid, rustix::process::WaitOptions::empty());
    let (_, status) = waited.expect("it is our child").expect("it has ended");
    assert_eq!(status.exit_status(), Some(0), "{what}: {status:?}");
}

/// The process that installed the handler of [`count_foreign`].
static OWNER: AtomicUsize = AtomicUsize::new(0);

/// How often that handler ran in another process that shares this memory.
static FOREIGN: AtomicUsize = AtomicUsize::new(0);

/// An async-signal-safe handler.
extern "C" fn count_both(_signal: i32) {
    COUNTED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: no argument is passed. It is a system call, because the C library caches no pid.
    let pid = unsafe { libc::getpid() };
    if usize::try_from(pid) != Ok(OWNER.load(Ordering::SeqCst)) {
        FOREIGN.fetch_add(1, Ordering::SeqCst);
    }
}

/// Installs a handler that counts, and counts separately if it runs in a child that shares our
/// memory.
pub fn count_foreign(signal: i32) {
    let own = usize::try_from(std::process::id()).expect("a pid is small");
    OWNER.store(own, Ordering::SeqCst);
    let handler: extern "C" fn(i32) = count_both;
    set_handler(signal, handler as usize);
}

/// Returns how often the handler of [`count_foreign`] has run in a child.
pub fn foreign() -> usize {
    FOREIGN.load(Ordering::SeqCst)
}

/// Keeps the memory of this process in pages of 4 KiB from now on. The kernel needs longer to copy
/// and to free many small pages.
pub fn without_huge_pages() {
    // SAFETY: only numbers are passed. Only the size of new pages of this process changes.
    let result = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    assert_eq!(result, 0, "PR_SET_THP_DISABLE");
}
