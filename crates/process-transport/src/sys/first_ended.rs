//! Which child has ended first, of all or of a group.
#![expect(unsafe_code, reason = "waitid")]

use super::outcome::{ChildSet, FirstEnded};
use super::raw;

/// Looks for a child that has ended, and leaves it as it is.
pub(crate) fn first_ended(among: ChildSet) -> FirstEnded {
    let (kind, id) = match among {
        ChildSet::Everybody => (libc::P_ALL, 0),
        ChildSet::Group(group) => (libc::P_PGID, libc::id_t::from(group)),
    };
    // SAFETY: all zeros is a valid `siginfo_t`; the kernel leaves it so where nobody has ended.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    loop {
        // SAFETY: the pointer leads to a local.
        let result = unsafe { libc::waitid(kind, id, &raw mut info, flags) };
        match result {
            0 => break,
            _ if raw::last_errno() == libc::EINTR => {}
            _ => return FirstEnded::NoChild,
        }
    }
    // SAFETY: waitid fills this field for children, and it is zero where nobody has ended.
    let pid = unsafe { info.si_pid() };
    match u32::try_from(pid) {
        Ok(pid @ 1..) => FirstEnded::Child(pid),
        _ => FirstEnded::Nobody,
    }
}
