//! Looking at a process group: whether anybody of it lives. Safe code over /proc.
//!
//! # Model
//!
//! A signal 0 to the group says "alive" as long as it has a zombie, which the first process of the
//! system may leave for seconds. So each member is looked at: a zombie with one thread at most is
//! dead; one with more is alive, for only its first thread has ended. A look stops at the first that
//! lives, and begins there the next time. Looks at several groups share what they read: see `survey`.
//!
//! What /proc says counts only where it is this process's own: it has to name this process, and the
//! leader as its child as long as that is not reaped.
//!
//! Zombies of the group that this process has adopted (as a subreaper, or as the first process of a
//! PID namespace) are reaped on the way; nobody else would. Never a child that this library has
//! started, such as the leader, or one that was put into the group by its number: its status is for
//! whoever waits for it.

#[cfg(target_os = "linux")]
mod proc;
#[cfg(target_os = "linux")]
mod survey;

use crate::sys::{self, Peeked};
use procession_core::Signal;
use procession_protocol::driver::GroupState;
use std::os::fd::BorrowedFd;

#[cfg(target_os = "linux")]
pub(crate) use proc::is_own_proc;
#[cfg(target_os = "linux")]
pub(crate) use survey::GroupLook;

/// Whether the group of a child that is not reaped has its number. One that cannot be asked does.
pub(crate) fn is_led_by(pid: u32) -> bool {
    sys::group_of(pid).map_or(true, |group| group.cast_unsigned() == pid)
}

/// Sends a signal to the group of a leader by its number, which is its own while nobody has reaped it:
/// other code of this program may have, and the number be another child's. The error is an error number.
pub(crate) fn send_by_number(leader: sys::Child<'_>, signal: Signal) -> Result<(), i32> {
    if sys::peek(leader) == Peeked::Lost {
        return Err(libc::ESRCH);
    }
    let (sys::Child::Fd(_, pid) | sys::Child::Pid(pid)) = leader;
    sys::send_to_group_number(pid, signal)
}

/// Looks whether anybody lives of the group that a child of ours leads, or led.
///
/// Once the leader is reaped the number may be somebody else's; as long as its pidfd finds members it
/// is not.
pub(crate) fn look(
    look: &mut GroupLook,
    leader: u32,
    pidfd: Option<BorrowedFd<'_>>,
    is_reaped: bool,
) -> GroupState {
    if !is_reaped {
        return look.look(leader, false);
    }
    let found = pidfd.map(|pidfd| sys::send_to_group(pidfd, Signal::from_raw(0)));
    match found {
        Some(Err(libc::ESRCH)) => GroupState::Empty,
        Some(Ok(()) | Err(libc::EPERM)) => match look.look(leader, true) {
            GroupState::Unknown => GroupState::Alive,
            seen => seen,
        },
        Some(Err(_)) | None => GroupState::Unknown,
    }
}

/// The looks at one group. There is no /proc here.
#[cfg(not(target_os = "linux"))]
#[derive(Debug, Default)]
pub(crate) struct GroupLook;

#[cfg(not(target_os = "linux"))]
impl GroupLook {
    pub(crate) fn expect(&mut self, _: u32) {}

    fn look(&mut self, _: u32, _: bool) -> GroupState {
        GroupState::Unknown
    }
}
