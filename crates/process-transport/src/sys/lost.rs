//! Finds out why a child of ours can no longer be waited for.
#![expect(unsafe_code, reason = "asks for the action of a signal")]

use std::ptr;

use procession_protocol::UnknownEnd;

/// Returns why there is no such child to wait for, under the current action of SIGCHLD.
pub(super) fn why() -> UnknownEnd {
    if leaves_no_zombies() { UnknownEnd::SigchldIgnored } else { UnknownEnd::Taken }
}

/// Returns whether the kernel reaps the children of this process (`sigaction(2)`).
fn leaves_no_zombies() -> bool {
    // SAFETY: all zeros is a valid `sigaction`: the default action, empty mask, no flags.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: nothing is set, and the old action is written to a local.
    let result = unsafe { libc::sigaction(libc::SIGCHLD, ptr::null(), &raw mut action) };
    let is_ignored = action.sa_sigaction == libc::SIG_IGN;
    result == 0 && (is_ignored || action.sa_flags & libc::SA_NOCLDWAIT != 0)
}
