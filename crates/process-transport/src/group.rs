//! Finds out whether any process of a group lives. Safe code over /proc.
//!
//! # Model
//!
//! Signal 0 to a group succeeds as long as the group has a zombie, which the init process may leave
//! for seconds. So each member is checked: a zombie with at most one thread is dead; a zombie with
//! more threads is alive, because only its first thread has ended. A look stops at the first live
//! member and begins there the next time. Looks at several groups share what they read: see
//! `survey`.
//!
//! What /proc says counts only if it is the /proc of this process: it must name this process, and
//! must name the leader as its child as long as the leader is not reaped.
//!
//! Zombies of the group that this process has adopted (as a subreaper, or as the first process of a
//! PID namespace) are reaped on the way, because nobody else would reap them. Children that this
//! library has started are never reaped here, neither the leader nor one that was put into the
//! group by its number: their status belongs to whoever waits for them.

#[cfg(target_os = "linux")]
mod proc;
#[cfg(target_os = "linux")]
mod survey;

use std::os::fd::BorrowedFd;

#[cfg(target_os = "linux")]
pub(crate) use proc::is_own_proc;
use procession_core::Signal;
use procession_protocol::driver::GroupState;
#[cfg(target_os = "linux")]
pub(crate) use survey::GroupLook;

use crate::scope::Branch;
use crate::sys::{self, PeekOutcome};

/// Returns whether the group of a child that is not reaped has the child's number; true if it
/// cannot be asked.
pub(crate) fn is_led_by(pid: u32) -> bool {
    sys::group_of(pid).map_or(true, |group| group.cast_unsigned() == pid)
}

/// Sends a signal to a leader's group by its number. The number belongs to the group while the
/// leader is not reaped. Other code of this program may have reaped it, and the number may then be
/// another child's; so this is checked first. The error is an error number.
pub(crate) fn send_by_number(leader: sys::ChildId<'_>, signal: Signal) -> Result<(), i32> {
    if sys::peek(leader) == PeekOutcome::Lost {
        return Err(libc::ESRCH);
    }
    let (sys::ChildId::Fd(_, pid) | sys::ChildId::Pid(pid)) = leader;
    sys::send_to_group_number(pid, signal)
}

/// Looks whether any process lives in the group that a child of ours leads or led.
///
/// Once the leader is reaped the number may belong to another group, but not as long as the pidfd
/// still finds members.
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

/// Returns what a look at a group has seen, together with the folder of its leader in a scope.
pub(crate) fn seen_with_branch(branch: Option<&Branch>, seen: GroupState) -> GroupState {
    match (branch, seen) {
        (Some(branch), _) if branch.is_populated() => GroupState::Alive,
        // All its members were born in there.
        (Some(_), GroupState::Unknown) => GroupState::Empty,
        (_, seen) => seen,
    }
}

/// Sends a signal, which the group has got or not, also to those in the folder of its leader that have
/// left the group. Fails only if nobody got it.
pub(crate) fn with_branch<E>(
    branch: Option<&Branch>,
    group: u32,
    signal: Signal,
    to_group: Result<(), E>,
) -> Result<(), E> {
    let is_reached = branch.is_some_and(|branch| branch.signal_outside(group, signal));
    if is_reached { Ok(()) } else { to_group }
}

/// The looks at one group. This system has no /proc.
#[cfg(not(target_os = "linux"))]
#[derive(Debug, Default)]
pub(crate) struct GroupLook;

#[cfg(not(target_os = "linux"))]
impl GroupLook {
    pub(crate) fn expect(&mut self, _: u32) {}

    pub(crate) fn leave_thread(&mut self) {}

    fn look(&mut self, _: u32, _: bool) -> GroupState {
        GroupState::Unknown
    }
}
