//! The system calls of the child, one function each.
//!
//! Everything here may run between clone and exec in a process that shares memory with its parent:
//! no function allocates, locks, panics or drops an owner. The calls go through `syscall(2)`,
//! because the C library's wrappers keep state (the thread list for `setuid`, cancellation). A
//! failed call leaves its number in the calling thread's `errno`, which the parent does not read.
#![expect(unsafe_code, reason = "system calls of a child before its exec")]

mod call;
mod signals;

use std::ffi::{CStr, c_char, c_int, c_long, c_uint};
use std::ptr;

use call::check;
pub(super) use call::{Call, last_errno};
#[cfg(feature = "reactor")]
pub(super) use signals::mask;
pub(super) use signals::{is_caught, is_ignored, set_default, set_mask, set_no_op};

/// The calls that change ids. On these systems the plain names are older calls, which cut ids to 16
/// bits.
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
mod calls {
    pub(super) use libc::SYS_setgroups32 as SETGROUPS;
    pub(super) use libc::SYS_setresgid32 as SETRESGID;
    pub(super) use libc::SYS_setresuid32 as SETRESUID;
}

#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
mod calls {
    pub(super) use libc::SYS_setgroups as SETGROUPS;
    pub(super) use libc::SYS_setresgid as SETRESGID;
    pub(super) use libc::SYS_setresuid as SETRESUID;
}

/// The kernel's `struct rusage`. Its times are `long`, also where the C library's have 64 bits.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rusage {
    /// The times have microseconds.
    pub(super) user_time: KernelTime,
    pub(super) system_time: KernelTime,
    /// In KiB.
    pub(super) peak: c_long,
    _others: [c_long; 13],
}

/// The kernel's `struct timespec` and `struct timeval`, for the calls without `time64` in their names:
/// seconds, and nanoseconds or microseconds.
pub(super) type KernelTime = [c_long; 2];

/// A soft and a hard limit, in the system's type.
pub(super) type KernelLimit = libc::rlimit64;

/// The value for no limit.
pub(super) const UNLIMITED: u64 = libc::RLIM64_INFINITY;

/// `close_range(2)`: closes, or marks, all descriptors from `first` to `last`.
pub(super) fn close_range(first: u32, last: u32, flags: c_uint) -> Call {
    // SAFETY: no pointer is passed. What is closed has no other owner: the child's own table
    // (sys::child).
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) }).map(drop)
}

/// Gives the caller its own descriptor table, without the numbers from `first` up.
pub(super) fn unshare_from(first: u32) -> Call {
    close_range(first, u32::MAX, libc::CLOSE_RANGE_UNSHARE)
}

/// `close(2)`.
pub(super) fn close(fd: c_int) -> Call {
    // SAFETY: no pointer is passed; as for `close_range`.
    check(unsafe { libc::syscall(libc::SYS_close, fd) }).map(drop)
}

/// `dup3(2)`; `from` and `to` differ.
pub(super) fn dup(from: c_int, to: c_int, cloexec: bool) -> Call {
    let flags = if cloexec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: no pointer is passed. `to` is a number of the fd plan, in the child's own table.
    check(unsafe { libc::syscall(libc::SYS_dup3, from, to, flags) }).map(drop)
}

/// Returns whether the number is open.
pub(super) fn is_open(fd: c_int) -> bool {
    // SAFETY: F_GETFD takes no third argument.
    check(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_GETFD) }).is_ok()
}

/// Copies an open descriptor to the lowest free number from `from` up.
pub(super) fn lowest_from(open: c_int, from: c_int) -> Call<c_int> {
    // SAFETY: F_DUPFD takes a number.
    let copy = check(unsafe { libc::syscall(libc::SYS_fcntl, open, libc::F_DUPFD, from) })?;
    c_int::try_from(copy).map_err(|_| libc::EBADF)
}

/// Calls `look` with the kernel's version as text; empty if the call fails.
pub(super) fn with_kernel_release<R>(look: impl FnOnce(&[u8]) -> R) -> R {
    // SAFETY: all zeros is a valid `utsname`: empty strings.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer leads to a local.
    let _empty_if_it_fails = unsafe { libc::uname(&raw mut names) };
    // SAFETY: the system ends each string with a NUL, within its field; all zeros are such a string
    // as well.
    look(unsafe { CStr::from_ptr(names.release.as_ptr()) }.to_bytes())
}

/// Returns where the kernel has mapped its vDSO page in this process; 0 if it has none.
pub(super) fn vdso() -> usize {
    // SAFETY: takes a number, and reads a vector that the kernel has made for this process.
    let address = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
    usize::try_from(address).unwrap_or(usize::MAX)
}

/// Clears or sets close-on-exec.
pub(super) fn set_cloexec(fd: c_int, cloexec: bool) -> Call {
    let flags = if cloexec { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: F_SETFD takes a number.
    check(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_SETFD, flags) }).map(drop)
}

/// `setsid(2)`.
pub(super) fn setsid() -> Call {
    // SAFETY: no argument.
    check(unsafe { libc::syscall(libc::SYS_setsid) }).map(drop)
}

/// `setpgid(2)` for the caller.
pub(super) fn setpgid(group: c_int) -> Call {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::syscall(libc::SYS_setpgid, 0, group) }).map(drop)
}

/// Makes the terminal on `fd` the controlling one of the caller's session.
pub(super) fn set_controlling_terminal(fd: c_int) -> Call {
    // SAFETY: TIOCSCTTY takes a number: 0 does not steal it from another session.
    check(unsafe { libc::syscall(libc::SYS_ioctl, fd, libc::TIOCSCTTY, 0) }).map(drop)
}

/// `prlimit(2)` for the caller.
pub(super) fn set_limit(resource: c_int, limit: &KernelLimit) -> Call {
    let none = ptr::null_mut::<KernelLimit>();
    // SAFETY: `limit` is a reference for the length of the call; the old value is not asked for.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, ptr::from_ref(limit), none) })
        .map(drop)
}

/// `umask(2)`; it fails only if a filter refuses it.
pub(super) fn umask(mask: u32) -> Call {
    // SAFETY: no pointer is passed; the child has its own umask (no CLONE_FS).
    check(unsafe { libc::syscall(libc::SYS_umask, mask) }).map(drop)
}

/// `setpriority(2)` for the caller.
pub(super) fn set_nice(nice: c_int) -> Call {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, nice) }).map(drop)
}

/// `sched_setaffinity(2)` for the caller; one bit for each processor.
pub(super) fn set_affinity(mask: &[usize]) -> Call {
    let len = size_of_val(mask);
    // SAFETY: pointer and length are those of one slice, for the length of the call.
    check(unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, len, mask.as_ptr()) }).map(drop)
}

/// Returns the processors that the calling thread may use, as a mask.
#[cfg(feature = "reactor")]
pub(super) fn affinity<const WORDS: usize>() -> Option<[usize; WORDS]> {
    let mut mask = [0; WORDS];
    let len = size_of_val(&mask);
    // SAFETY: pointer and length are those of one local.
    check(unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, len, mask.as_mut_ptr()) }).ok()?;
    Some(mask)
}

/// Opens a file for writing.
pub(super) fn open_for_writing(path: &CStr) -> Call<c_int> {
    let flags = libc::O_WRONLY | libc::O_CLOEXEC;
    // SAFETY: `path` ends in NUL and lives for the length of the call.
    let fd =
        check(unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags) })?;
    c_int::try_from(fd).map_err(|_| libc::EBADF)
}

/// Opens an absolute path for reading (`openat(2)`).
pub(super) fn open_for_reading(path: &CStr) -> Call<c_int> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: `path` ends in NUL and lives for the length of the call.
    let fd =
        check(unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags) })?;
    c_int::try_from(fd).map_err(|_| libc::EBADF)
}

/// `read(2)`.
pub(super) fn read(fd: c_int, into: &mut [u8]) -> Call<usize> {
    // SAFETY: pointer and length are those of one slice, for the length of the call.
    let n = check(unsafe { libc::syscall(libc::SYS_read, fd, into.as_mut_ptr(), into.len()) })?;
    usize::try_from(n).map_err(|_| libc::EIO)
}

/// `readlinkat(2)` of an absolute path; returns the length.
pub(super) fn read_link(path: &CStr, into: &mut [u8]) -> Call<usize> {
    let (at, link, start, bytes) = (libc::AT_FDCWD, path.as_ptr(), into.as_mut_ptr(), into.len());
    // SAFETY: `path` ends in NUL, and the other pointer and the length are those of one slice, for the
    // length of the call.
    let n = check(unsafe { libc::syscall(libc::SYS_readlinkat, at, link, start, bytes) })?;
    usize::try_from(n).map_err(|_| libc::EIO)
}

/// `write(2)`.
pub(super) fn write(fd: c_int, bytes: &[u8]) -> Call<usize> {
    // SAFETY: pointer and length are those of one slice, for the length of the call.
    let n = check(unsafe { libc::syscall(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) })?;
    usize::try_from(n).map_err(|_| libc::EIO)
}

/// `chdir(2)`; `path` is one of the ready-made strings of `Request`.
pub(super) fn chdir(path: *const c_char) -> Call {
    // SAFETY: the pointers of a `CStringArray` lead to NUL-terminated strings that live as long as
    // `Request`, which the parent keeps for the length of the clone.
    check(unsafe { libc::syscall(libc::SYS_chdir, path) }).map(drop)
}

/// `setgroups(2)`.
pub(super) fn setgroups(groups: &[u32]) -> Call {
    // SAFETY: pointer and length are those of one slice, for the length of the call.
    check(unsafe { libc::syscall(calls::SETGROUPS, groups.len(), groups.as_ptr()) }).map(drop)
}

/// `setresgid(2)` to one id.
pub(super) fn setgid(gid: u32) -> Call {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::syscall(calls::SETRESGID, gid, gid, gid) }).map(drop)
}

/// `setresuid(2)` to one id.
pub(super) fn setuid(uid: u32) -> Call {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::syscall(calls::SETRESUID, uid, uid, uid) }).map(drop)
}

/// Clears the ambient capability set. A kernel without one (before 4.3) returns `EINVAL`.
pub(super) fn clear_ambient() -> Call {
    let (option, clear) = (libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL);
    // SAFETY: this option takes numbers.
    match check(unsafe { libc::syscall(libc::SYS_prctl, option, clear, 0, 0, 0) }) {
        Ok(_) | Err(libc::EINVAL) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// `prctl(PR_SET_PDEATHSIG)`.
pub(super) fn set_parent_death_signal(signal: c_int) -> Call {
    // SAFETY: this option takes a number.
    check(unsafe { libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, signal, 0, 0, 0) })
        .map(drop)
}

/// `getppid(2)`.
pub(super) fn parent() -> c_long {
    // SAFETY: no argument.
    unsafe { libc::syscall(libc::SYS_getppid) }
}

/// `getpid(2)`.
pub(super) fn pid() -> c_long {
    // SAFETY: no argument.
    unsafe { libc::syscall(libc::SYS_getpid) }
}

/// Sends a signal to the caller itself. Sends none if a filter refuses `getpid`: a number below 1
/// names a group, or all processes.
pub(super) fn raise(signal: c_int) -> Call {
    let own = check(pid())?;
    // SAFETY: no pointer is passed.
    check(unsafe { libc::syscall(libc::SYS_kill, own, signal) }).map(drop)
}

/// `execve(2)`; returns only on failure, with the error number.
pub(super) fn execve(
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> i32 {
    // SAFETY: path and arguments come from `CStringArray`s of `Request`, the variables from an
    // `Environment`, which the parent keeps for the length of the clone: NUL-terminated strings,
    // null-terminated arrays.
    let _only_on_failure = unsafe { libc::syscall(libc::SYS_execve, path, argv, envp) };
    last_errno()
}

/// Ends the calling process, which has one thread, without running any more code of it.
///
/// Its parent may stand still until it has ended. So this tries several ways, in case a filter
/// refuses the first.
///
/// It never returns, but its type does not say so: before a call that does not return, AddressSanitizer
/// cleans the stack of the thread, and a child that shares its parent's memory runs on another stack.
pub(super) fn exit(code: c_int) -> c_int {
    loop {
        for call in [libc::SYS_exit_group, libc::SYS_exit] {
            // SAFETY: no pointer is passed, and the call does not return.
            let _refused = unsafe { libc::syscall(call, code) };
        }
        raise(libc::SIGKILL).ok(); // refused as well: try again
    }
}

/// Receives `count` descriptors on the lowest free numbers, without close-on-exec.
pub(super) fn receive_fds(socket: c_int, count: usize) -> Call {
    const HEADER: usize = size_of::<libc::cmsghdr>();
    let mut byte = 0_u8;
    let mut control = [0_u64; super::mailbox::CONTROL_WORDS];
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: all zeros is a valid `msghdr`: no name, no parts, no control buffer.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    #[expect(clippy::useless_conversion, reason = "a smaller type with some C libraries")]
    {
        message.msg_controllen = size_of_val(&control).try_into().map_err(|_| libc::EMSGSIZE)?;
    }
    // SAFETY: the message's parts and control buffer are locals that outlive the call.
    let received = check(unsafe {
        libc::syscall(libc::SYS_recvmsg, socket, &raw mut message, libc::MSG_DONTWAIT)
    })?;
    // SAFETY: the buffer is larger than a header, aligned for one, and initialised.
    let header = unsafe { control.as_ptr().cast::<libc::cmsghdr>().read() };
    #[expect(clippy::useless_conversion, reason = "a smaller type with some C libraries")]
    let length = usize::try_from(header.cmsg_len).map_err(|_| libc::EMFILE)?;
    // Fewer descriptors than were sent means that the limit leaves no free numbers.
    let complete = length == HEADER + 4 * count;
    if received != 1 || message.msg_flags & libc::MSG_CTRUNC != 0 || !complete {
        return Err(libc::EMFILE);
    }
    Ok(())
}
