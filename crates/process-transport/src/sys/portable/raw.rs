//! The system calls of the child on systems other than Linux: the C library's calls that POSIX
//! defines as async-signal-safe.
//!
//! The child has a copy of its parent's memory. As on Linux, nothing here allocates, locks, panics
//! or drops an owner.
#![expect(unsafe_code, reason = "the C library's calls of a child before its exec")]

use std::ffi::{CStr, c_char, c_int, c_long};
use std::io;
use std::mem;
use std::ptr;

/// A value, or the error number.
pub(in crate::sys) type Call<T = ()> = Result<T, i32>;

/// A soft and a hard limit, in the system's type.
pub(in crate::sys) type KernelLimit = libc::rlimit;

/// The value for no limit.
pub(in crate::sys) const UNLIMITED: libc::rlim_t = libc::RLIM_INFINITY;

fn check(result: c_int) -> Call {
    if result < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Returns the error number of the last failed call.
pub(in crate::sys) fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// `dup2(2)`; `from` and `to` differ.
pub(in crate::sys) fn dup(from: c_int, to: c_int, cloexec: bool) -> Call {
    // SAFETY: no pointer is passed. `to` is a number of the fd plan, in the child's own table.
    check(unsafe { libc::dup2(from, to) })?;
    if cloexec { set_cloexec(to, true) } else { Ok(()) }
}

/// Clears or sets close-on-exec.
pub(in crate::sys) fn set_cloexec(fd: c_int, cloexec: bool) -> Call {
    let flags = if cloexec { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: F_SETFD takes a number.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, flags) })
}

/// Fails: no table is ever shared on these systems.
pub(in crate::sys) fn unshare_from(_: u32) -> Call {
    Err(libc::ENOSYS)
}

/// Fails: these systems have no such call; see [`super::close`].
pub(in crate::sys) fn close_range(_: u32, _: u32, _: u32) -> Call {
    Err(libc::ENOSYS)
}

/// Called only for a shared table, which these systems do not have.
pub(in crate::sys) fn is_open(_: c_int) -> bool {
    true
}

/// Called only for a shared table, which these systems do not have.
pub(in crate::sys) fn receive_fds(_: c_int, _: usize) -> Call {
    Err(libc::ENOSYS)
}

/// Fails: these systems have no such call, and `prepare` refuses a command that asks for it.
pub(in crate::sys) fn set_affinity(_: &[usize]) -> Call {
    Err(libc::ENOSYS)
}

/// Fails: used only for files of Linux, and `prepare` refuses a command that asks for one.
pub(in crate::sys) fn open_for_writing(_: &CStr) -> Call<c_int> {
    Err(libc::ENOSYS)
}

/// See [`open_for_writing`].
pub(in crate::sys) fn write(_: c_int, _: &[u8]) -> Call<usize> {
    Err(libc::ENOSYS)
}

/// See [`open_for_writing`].
pub(in crate::sys) fn close(_: c_int) -> Call {
    Err(libc::ENOSYS)
}

/// `setsid(2)`.
pub(in crate::sys) fn setsid() -> Call {
    // SAFETY: no argument.
    check(unsafe { libc::setsid() })
}

/// `setpgid(2)` for the caller.
pub(in crate::sys) fn setpgid(group: c_int) -> Call {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::setpgid(0, group) })
}

/// Makes the terminal on `fd` the controlling one of the caller's session.
pub(in crate::sys) fn set_controlling_terminal(fd: c_int) -> Call {
    // SAFETY: TIOCSCTTY takes a number, which these systems ignore.
    check(unsafe { libc::ioctl(fd, libc::TIOCSCTTY.into(), 0) })
}

/// `setrlimit(2)`.
pub(in crate::sys) fn set_limit(resource: c_int, limit: &KernelLimit) -> Call {
    // SAFETY: `limit` is a reference for the length of the call.
    check(unsafe { libc::setrlimit(resource, ptr::from_ref(limit)) })
}

/// `umask(2)`, which does not fail.
pub(in crate::sys) fn umask(mask: u32) -> Call {
    let mask = libc::mode_t::try_from(mask & 0o777).unwrap_or(0o777);
    // SAFETY: no pointer is passed.
    let _previous = unsafe { libc::umask(mask) };
    Ok(())
}

/// `setpriority(2)` for the caller.
pub(in crate::sys) fn set_nice(nice: c_int) -> Call {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) })
}

/// `chdir(2)`; `path` is one of the ready-made strings of `Request`.
pub(in crate::sys) fn chdir(path: *const c_char) -> Call {
    // SAFETY: the pointers of a `CStringArray` lead to NUL-terminated strings, copied to the child.
    check(unsafe { libc::chdir(path) })
}

/// `setgroups(2)`.
pub(in crate::sys) fn setgroups(groups: &[u32]) -> Call {
    let count = groups.len().try_into().map_err(|_| libc::EINVAL)?;
    // SAFETY: pointer and length are those of one slice, for the length of the call.
    check(unsafe { libc::setgroups(count, groups.as_ptr()) })
}

/// `setregid(2)` to one id, which sets the saved one too.
pub(in crate::sys) fn setgid(gid: u32) -> Call {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::setregid(gid, gid) })
}

/// `setreuid(2)` to one id, which sets the saved one too.
pub(in crate::sys) fn setuid(uid: u32) -> Call {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::setreuid(uid, uid) })
}

/// Does nothing: only Linux has ambient capabilities.
pub(in crate::sys) fn clear_ambient() -> Call {
    Ok(())
}

/// Fails: these systems have no such call, and `prepare` refuses a command that asks for it.
pub(in crate::sys) fn set_parent_death_signal(_: c_int) -> Call {
    Err(libc::ENOSYS)
}

/// `getppid(2)`.
pub(in crate::sys) fn parent() -> c_long {
    // SAFETY: no argument.
    c_long::from(unsafe { libc::getppid() })
}

/// `getpid(2)`.
pub(in crate::sys) fn pid() -> c_long {
    // SAFETY: no argument.
    c_long::from(unsafe { libc::getpid() })
}

/// Sends a signal to the caller itself.
pub(in crate::sys) fn raise(signal: c_int) -> Call {
    // SAFETY: no argument.
    let pid = unsafe { libc::getpid() };
    // SAFETY: no pointer is passed.
    check(unsafe { libc::kill(pid, signal) })
}

/// Sets a disposition; ignores a signal that the system does not have.
fn set_action(signal: c_int, handler: libc::sighandler_t) -> Call {
    // SAFETY: all zeros is a valid `sigaction`: the default action, empty mask, no flags.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler;
    // SAFETY: `action` is initialised; the old one is not asked for.
    match check(unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) }) {
        Err(libc::EINVAL) => Ok(()),
        result => result,
    }
}

fn handler(signal: c_int) -> libc::sighandler_t {
    // SAFETY: all zeros is a valid `sigaction`.
    let mut old: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: the old action is written to a local; none is set.
    match check(unsafe { libc::sigaction(signal, ptr::null(), &raw mut old) }) {
        Ok(()) => old.sa_sigaction,
        Err(_) => libc::SIG_DFL,
    }
}

/// Sets a disposition to the default.
pub(in crate::sys) fn set_default(signal: c_int) -> Call {
    set_action(signal, libc::SIG_DFL)
}

/// Returns whether a handler is installed: neither the default nor ignored.
pub(in crate::sys) fn is_caught(signal: c_int) -> bool {
    ![libc::SIG_DFL, libc::SIG_IGN].contains(&handler(signal))
}

/// Returns whether the signal is ignored.
pub(in crate::sys) fn is_ignored(signal: c_int) -> bool {
    handler(signal) == libc::SIG_IGN
}

extern "C" fn nothing(_: c_int) {}

/// Installs a handler that does nothing.
pub(in crate::sys) fn set_no_op(signal: c_int) {
    let handler: extern "C" fn(c_int) = nothing;
    set_action(signal, handler as libc::sighandler_t).ok(); // the signal exists
}

/// Sets the signal mask and returns the previous one; one bit for each signal, bit 0 for signal 1.
pub(in crate::sys) fn set_mask(mask: u64) -> Call<u64> {
    // SAFETY: all zeros is a valid set, to be overwritten.
    let mut old: libc::sigset_t = unsafe { mem::zeroed() };
    let new = set_of(mask);
    // SAFETY: both pointers lead to locals. The calling thread is the one whose mask is set.
    let result = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const new, &raw mut old) };
    if result == 0 { Ok(bits_of(&old)) } else { Err(result) }
}

fn set_of(mask: u64) -> libc::sigset_t {
    // SAFETY: all zeros is a valid set, to be overwritten.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the pointer leads to a local.
    let _emptied = unsafe { libc::sigemptyset(&raw mut set) };
    for signal in (1..=64).filter(|signal| mask & 1 << (signal - 1) != 0) {
        // SAFETY: the pointer leads to a local; a number that the system does not have is refused.
        let _added = unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}

fn bits_of(set: &libc::sigset_t) -> u64 {
    (1..=64).fold(0, |bits, signal| {
        // SAFETY: the pointer is a reference for the length of the call.
        let member = unsafe { libc::sigismember(ptr::from_ref(set), signal) } == 1;
        bits | u64::from(member) << (signal - 1)
    })
}

/// `execve(2)`; returns only on failure, with the error number.
pub(in crate::sys) fn execve(
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> i32 {
    // SAFETY: path and arguments come from `CStringArray`s of `Request`, the variables from an
    // `Environment`, copied to the child: NUL-terminated strings, null-terminated arrays.
    let _only_on_failure = unsafe { libc::execve(path, argv, envp) };
    last_errno()
}

/// Ends the calling process without running any more code of it.
pub(in crate::sys) fn exit(code: c_int) -> c_int {
    // SAFETY: no pointer is passed, and the call does not return.
    unsafe { libc::_exit(code) }
}
