//! The status that the kernel keeps for a pidfd, whichever code has reaped the child (Linux 6.15
//! and later).
#![expect(unsafe_code, reason = "an ioctl of pidfds")]

use std::ffi::c_ulong;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::raw;

/// `struct pidfd_info` in its first form; unused fields have no name.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    _cgroup: u64,
    _ids: [u32; 11],
    exit_code: i32,
}

/// Asks for the status of a reaped process (`PIDFD_INFO_EXIT`).
const STATUS: u64 = 1 << 3;

/// `_IOWR(0xFF, 11, struct pidfd_info)`.
const GET_INFO: c_ulong =
    (3 << 30) | ((size_of::<PidfdInfo>() as c_ulong) << 16) | (0xFF << 8) | 11;

/// How long a child that can no longer be waited for may still be in the kernel's exit path:
/// normally some microseconds.
const ON_ITS_WAY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Returns the status of a child that other code, or the kernel, has reaped, as in `waitpid(2)`.
pub(super) fn of(pidfd: BorrowedFd<'_>) -> Option<i32> {
    if let known @ Some(_) = ask(pidfd)? {
        return known;
    }
    // A hang-up of the pidfd reports that the child is gone. Kernels without it keep no status
    // either.
    poll(&mut [PollFd::new(&pidfd, PollFlags::empty())], Some(&ON_ITS_WAY)).ok();
    ask(pidfd)?
}

/// Returns `None` if the kernel keeps no status; else what it has so far.
fn ask(pidfd: BorrowedFd<'_>) -> Option<Option<i32>> {
    let mut info = PidfdInfo { mask: STATUS, ..PidfdInfo::default() };
    // SAFETY: the number of the call contains the size of what the kernel writes, and the pointer
    // leads to a local of that size.
    let result =
        unsafe { libc::syscall(libc::SYS_ioctl, pidfd.as_raw_fd(), GET_INFO, &raw mut info) };
    if result < 0 && raw::last_errno() != libc::EINTR {
        return None;
    }
    Some((result == 0 && info.mask & STATUS != 0).then_some(info.exit_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_has_the_kernels_number() {
        assert_eq!((size_of::<PidfdInfo>(), GET_INFO), (64, 0xC040_FF0B));
    }
}
