//! Sends signals by pidfd, so never to a reused process id. If that is refused, sends them by the
//! number of a child that is not reaped, which is still its own.
#![expect(unsafe_code, reason = "pidfd_send_signal, kill and getpgid")]

use std::ffi::{c_int, c_long, c_uint};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use procession_core::Signal;

use super::outcome::{ChildId, PeekOutcome};
use super::raw;
use super::wait::peek;

/// `PIDFD_SIGNAL_PROCESS_GROUP`, since Linux 6.9.
const PROCESS_GROUP: c_uint = 1 << 2;

/// Sends a signal to a child that is not reaped yet; the error is an error number.
pub(crate) fn send(child: ChildId<'_>, signal: Signal) -> Result<(), i32> {
    let (ChildId::Fd(_, pid) | ChildId::Pid(pid)) = child;
    let by_number = || match peek(child) {
        // Other code of this program has reaped it, and the number may be another process's.
        PeekOutcome::Lost => Err(libc::ESRCH),
        _ => kill(c_int::try_from(pid).map_err(|_| libc::ESRCH)?, signal),
    };
    match child {
        ChildId::Fd(fd, _) => match by_pidfd(fd, signal, 0) {
            Err(errno) if is_refusal(errno) => by_number(),
            result => result,
        },
        ChildId::Pid(_) => by_number(),
    }
}

/// Sends a signal to the process of a pidfd, which need not be a child; the error is an error number.
pub(crate) fn send_by_pidfd(process: BorrowedFd<'_>, signal: Signal) -> Result<(), i32> {
    by_pidfd(process, signal, 0)
}

/// Returns whether an error may come from a filter, or from a kernel that does not know the call or
/// its flag: any error except "no such process".
pub(crate) fn is_refusal(errno: i32) -> bool {
    errno != libc::ESRCH
}

/// Sends a signal to the process group that the child leads or led.
///
/// A kernel before 6.9 returns `EINVAL` for a valid signal, because it has no such flag.
pub(crate) fn send_to_group(leader: BorrowedFd<'_>, signal: Signal) -> Result<(), i32> {
    by_pidfd(leader, signal, PROCESS_GROUP)
}

/// Sends a signal to a process group by its number, as long as its leader is not reaped.
pub(crate) fn send_to_group_number(group: u32, signal: Signal) -> Result<(), i32> {
    let group = c_int::try_from(group).map_err(|_| libc::ESRCH)?;
    // Group 1 would become -1, all processes; group 0 is our own group.
    if group <= 1 { Err(libc::ESRCH) } else { kill(-group, signal) }
}

/// Returns the group of a process, 0 for a group outside this PID namespace; the error is an error
/// number.
pub(crate) fn group_of(pid: u32) -> Result<c_int, i32> {
    let pid = c_int::try_from(pid).map_err(|_| libc::ESRCH)?;
    // SAFETY: no pointer is passed.
    let group = unsafe { libc::getpgid(pid) };
    if group >= 0 { Ok(group) } else { Err(raw::last_errno()) }
}

fn by_pidfd(fd: BorrowedFd<'_>, signal: Signal, flags: c_uint) -> Result<(), i32> {
    let none = ptr::null::<libc::siginfo_t>();
    // SAFETY: the kernel accepts a null siginfo and makes one itself.
    let result: c_long = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), signal.as_raw(), none, flags)
    };
    if result == 0 { Ok(()) } else { Err(raw::last_errno()) }
}

fn kill(pid: c_int, signal: Signal) -> Result<(), i32> {
    // SAFETY: no pointer is passed.
    let result = unsafe { libc::kill(pid, signal.as_raw()) };
    if result == 0 { Ok(()) } else { Err(raw::last_errno()) }
}
