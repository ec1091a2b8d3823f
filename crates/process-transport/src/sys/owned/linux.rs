//! The system calls of an act on Linux: pidfds, and signals taken from the queue.
//!
//! A pidfd names only its child. If it is refused (before Linux 6.9 for a group, by a filter, or
//! because other code closed it), the number must do. It is the child's while the child is
//! unreaped, which `waitid` confirms without a reap. For a reaped leader only the pidfd is used, to
//! reach its group: the kernel reuses the number for no other process as long as the group has
//! members, and a pidfd whose number was reused names no process.
#![expect(unsafe_code, reason = "system calls in a signal handler")]

use std::ffi::{c_int, c_long, c_uint};
use std::mem;
use std::ptr;

use super::calls;
pub(super) use super::living::is_any_alive;
use super::member::{LeaderState, Member};
use crate::sys::raw::{KernelTime, last_errno};

/// `PIDFD_SIGNAL_PROCESS_GROUP`, since Linux 6.9.
const PROCESS_GROUP: c_uint = 1 << 2;

/// The size of the kernel's signal set, in bytes.
const SIGSET_BYTES: usize = 8;

/// Further signals, which stay pending because this thread blocks them.
pub(super) struct FurtherSignals {
    /// One bit for each signal.
    mask: u64,
}

impl FurtherSignals {
    pub(super) fn new(signals: impl Iterator<Item = c_int>) -> Self {
        Self { mask: signals.fold(0, |mask, signal| mask | 1 << (signal - 1)) }
    }

    /// Waits, and returns whether one of them came; it is taken from the queue.
    pub(super) fn came_within(&mut self, milliseconds: c_int) -> bool {
        if self.mask == 0 {
            calls::pause(milliseconds);
            return false;
        }
        // Milliseconds up to a second.
        let time: KernelTime = [0, c_long::from(milliseconds) * 1_000_000];
        let none = ptr::null_mut::<libc::siginfo_t>();
        // SAFETY: set and time are locals of the size that is passed; no information about the
        // signal is requested.
        let came = unsafe {
            libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &raw const self.mask,
                none,
                &raw const time,
                SIGSET_BYTES,
            )
        };
        came > 0
    }
}

/// Sends KILL to the leader, then to its group. Otherwise a child that is about to leave our group
/// could get a group of its own, and members in it, unseen.
pub(super) fn kill_group(child: Member) {
    to_leader(child, libc::SIGKILL);
    if child.leads_group {
        to_group(child, libc::SIGKILL);
    }
}

/// Sends TERM, and CONT for stopped processes; to the leader alone while it leads no group yet.
pub(super) fn end_gently(child: Member) {
    for signal in [libc::SIGTERM, libc::SIGCONT] {
        if !child.leads_group || !to_group(child, signal) {
            to_leader(child, signal);
        }
    }
}

pub(super) fn leader_of(child: Member) -> LeaderState {
    let has_ended = if child.is_left { None } else { look_at(child) };
    match has_ended {
        Some(false) => LeaderState::Runs,
        Some(true) => LeaderState::Ended,
        // Reaped: by us, by other code, or by the kernel if SIGCHLD is ignored.
        None if child.leads_group && to_group(child, 0) => LeaderState::Ended,
        None => LeaderState::Gone,
    }
}

fn to_leader(child: Member, signal: c_int) {
    if child.is_left {
        return;
    }
    let sent = by_pidfd(child.pidfd, signal, 0);
    if matches!(sent, Err(errno) if errno != libc::ESRCH) && look_at(child).is_some() {
        calls::kill(child.pid, signal);
    }
}

/// Returns whether the child is stopped.
#[cfg(feature = "reactor")]
pub(super) fn is_stopped(child: Member) -> bool {
    wait(child, libc::WSTOPPED) == Some(true)
}

/// Sends a signal to the child's group; returns whether there is such a group.
pub(super) fn to_group(child: Member, signal: c_int) -> bool {
    match by_pidfd(child.pidfd, signal, PROCESS_GROUP) {
        Ok(()) => true,
        Err(libc::ESRCH) => false,
        Err(_) if child.is_left => false,
        Err(_) => look_at(child).is_some() && calls::kill(-child.pid, signal),
    }
}

fn by_pidfd(pidfd: c_int, signal: c_int, flags: c_uint) -> Result<(), c_int> {
    if pidfd < 0 {
        return Err(libc::EBADF);
    }
    let none = ptr::null::<libc::siginfo_t>();
    // SAFETY: the kernel accepts a null siginfo and makes one itself.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, none, flags) };
    if sent == 0 { Ok(()) } else { Err(last_errno()) }
}

/// Returns whether an unreaped child of ours has ended; `None` if it is no such child any more.
fn look_at(child: Member) -> Option<bool> {
    wait(child, libc::WEXITED)
}

/// Returns whether an unreaped child of ours is in this state, and leaves it as it is.
///
/// Other code of this program may have reaped it. Then its number may be another child's, but its
/// pidfd never is.
fn wait(child: Member, state: c_int) -> Option<bool> {
    let by_pidfd = (child.pidfd >= 0).then(|| wait_by(libc::P_PIDFD, child.pidfd, state));
    match by_pidfd {
        Some(Ok(answer)) => Some(answer),
        Some(Err(libc::ECHILD)) => None,
        // Before Linux 5.4, by a filter, or because other code closed it.
        Some(Err(_)) | None => wait_by(libc::P_PID, child.pid, state).ok(),
    }
}

fn wait_by(kind: c_uint, number: c_int, state: c_int) -> Result<bool, c_int> {
    // SAFETY: all zeros is a valid `siginfo_t`; the kernel leaves it so if no child has ended.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    let flags = state | libc::WNOHANG | libc::WNOWAIT;
    let usage = ptr::null_mut::<libc::rusage>();
    // SAFETY: the pointer leads to a local, and the resource usage is not requested.
    let result =
        unsafe { libc::syscall(libc::SYS_waitid, kind, number, &raw mut info, flags, usage) };
    if result == 0 { Ok(info.si_signo != 0) } else { Err(last_errno()) }
}
