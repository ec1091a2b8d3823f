//! The system calls of an act on systems other than Linux: by number, which is the child's while it
//! is unreaped.
#![expect(unsafe_code, reason = "system calls in a signal handler")]

use std::ffi::c_int;
use std::mem;

use super::calls::{self, SIGNALS};
use super::member::{LeaderState, Member};

/// Further signals, which stay pending because this thread blocks them.
pub(super) struct FurtherSignals {
    /// One bit for each signal of [`SIGNALS`].
    asked: u32,
    /// Signals that were seen pending. They stay pending, so a second one cannot be distinguished.
    seen: u32,
}

impl FurtherSignals {
    pub(super) fn new(signals: impl Iterator<Item = c_int>) -> Self {
        Self { asked: signals.fold(0, |asked, signal| asked | 1 << (signal - 1)), seen: 0 }
    }

    /// Waits, and returns whether one of them came for the first time.
    pub(super) fn came_within(&mut self, milliseconds: c_int) -> bool {
        calls::pause(milliseconds);
        // SAFETY: all zeros is a valid set.
        let mut pending: libc::sigset_t = unsafe { mem::zeroed() };
        // SAFETY: the pointer leads to a local.
        unsafe { libc::sigpending(&raw mut pending) };
        let before = self.seen;
        for signal in SIGNALS {
            // SAFETY: the set is complete, and the signal exists.
            let waits = unsafe { libc::sigismember(&raw const pending, signal) } == 1;
            if waits {
                self.seen |= self.asked & 1 << (signal - 1);
            }
        }
        self.seen != before
    }
}

/// Sends KILL to the leader, then to its group. Otherwise a child that is about to leave our group
/// could get a group of its own, and members in it, unseen.
pub(super) fn kill_group(child: Member) {
    if look_at(child.pid).is_some() {
        calls::kill(child.pid, libc::SIGKILL);
        if child.leads_group {
            calls::kill(-child.pid, libc::SIGKILL);
        }
    }
}

/// Sends TERM, and CONT for stopped processes; to the leader alone while it leads no group yet.
pub(super) fn end_gently(child: Member) {
    for signal in [libc::SIGTERM, libc::SIGCONT] {
        if look_at(child.pid).is_some() && !(child.leads_group && calls::kill(-child.pid, signal)) {
            calls::kill(child.pid, signal);
        }
    }
}

/// Returns false: stopped children are not detected here.
#[cfg(feature = "reactor")]
pub(super) fn is_stopped(_: Member) -> bool {
    false
}

/// Sends a signal to the child's group; returns whether there is such a group.
#[cfg(feature = "reactor")]
pub(super) fn to_group(child: Member, signal: c_int) -> bool {
    look_at(child.pid).is_some() && calls::kill(-child.pid, signal)
}

pub(super) fn leader_of(child: Member) -> LeaderState {
    match look_at(child.pid) {
        Some(false) => LeaderState::Runs,
        Some(true) => LeaderState::Ended,
        None => LeaderState::Gone,
    }
}

/// Returns `None`: live members are not detected here.
pub(super) fn is_any_alive(_: impl Fn(c_int) -> bool) -> Option<bool> {
    None
}

/// Returns whether an unreaped child of ours has ended; `None` if there is no such child.
fn look_at(pid: c_int) -> Option<bool> {
    // SAFETY: all zeros is a valid `siginfo_t`.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    let id = libc::id_t::try_from(pid).ok()?;
    // SAFETY: the pointer leads to a local.
    let result = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, flags) };
    (result == 0).then_some(info.si_signo != 0)
}
