//! Sends signals on systems other than Linux: by number, as long as the child is not reaped.
#![expect(unsafe_code, reason = "kill and getpgid")]

use std::ffi::c_int;
use std::os::fd::BorrowedFd;

use procession_core::Signal;

use super::raw;
use super::wait::number;
use crate::sys::outcome::ChildId;

/// Sends a signal to a child that is not reaped yet; the error is an error number.
pub(crate) fn send(child: ChildId<'_>, signal: Signal) -> Result<(), i32> {
    kill(number(child).map_err(|_| libc::ESRCH)?, signal)
}

/// Returns whether an error does not come from the process, such as that of [`send_to_group`] here.
pub(crate) fn is_refusal(errno: i32) -> bool {
    errno != libc::ESRCH
}

/// Returns `EINVAL`, as a kernel without group signals does: these systems have no pidfds.
pub(crate) fn send_to_group(_: BorrowedFd<'_>, _: Signal) -> Result<(), i32> {
    Err(libc::EINVAL)
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

fn kill(pid: c_int, signal: Signal) -> Result<(), i32> {
    // SAFETY: no pointer is passed.
    let result = unsafe { libc::kill(pid, signal.as_raw()) };
    if result == 0 { Ok(()) } else { Err(raw::last_errno()) }
}
