//! Finds the first child that has ended, among all children or in a group.
#![expect(unsafe_code, reason = "waitid")]

use super::outcome::{ChildSet, FirstEnded};
use super::raw;

/// Looks for a child that has ended, and does not reap it.
pub(crate) fn first_ended(among: ChildSet) -> FirstEnded {
    let (kind, id) = match among {
        ChildSet::Everybody => (libc::P_ALL, 0),
        ChildSet::Group(group) => (libc::P_PGID, libc::id_t::from(group)),
    };
    // SAFETY: all zeros is a valid `siginfo_t`. The kernel leaves them if no child has ended.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    loop {
        // SAFETY: the pointer leads to a local variable.
        let result = unsafe { libc::waitid(kind, id, &raw mut info, flags) };
        match result {
            0 => break,
            _ if raw::last_errno() == libc::EINTR => {}
            _ => return FirstEnded::NoChild,
        }
    }
    // SAFETY: `waitid` fills this field for a child, and leaves it zero if no child has ended.
    let pid = unsafe { info.si_pid() };
    match u32::try_from(pid) {
        Ok(pid @ 1..) => FirstEnded::Child(pid),
        _ => FirstEnded::Nobody,
    }
}
