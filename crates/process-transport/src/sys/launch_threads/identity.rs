//! What a child has from the thread that launches it, and not from the process.
#![expect(unsafe_code, reason = "ids and policy of a thread")]

use rustix::process::{Gid, getgroups};
use rustix::thread::{capabilities, no_new_privs, secure_computing_mode};

use crate::sys::raw;

/// The words of a mask of 1,024 processors.
const CPU_WORDS: usize = 16;

/// One thread, as its children inherit it: ids, groups, capabilities, filters, nice value, policy,
/// affinity.
///
/// Namespaces of a thread are left out: to read them takes longer than a launch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ThreadIdentity {
    /// Real, effective and saved ids.
    uids: [u32; 3],
    gids: [u32; 3],
    groups: Vec<u32>,
    /// Effective, permitted and inheritable.
    capabilities: [u64; 3],
    no_new_privs: bool,
    /// The mode, not which filters there are.
    filter: Option<u32>,
    nice: i32,
    policy: i32,
    affinity: [usize; CPU_WORDS],
}

impl ThreadIdentity {
    /// Reads those of this thread; `None` if that is refused, or if the thread has inheritable
    /// capabilities: then it may have ambient ones, which cannot be read at once.
    pub(crate) fn of_this_thread() -> Option<Self> {
        let sets = capabilities(None).ok()?;
        if !sets.inheritable.is_empty() {
            return None;
        }
        let (mut uids, mut gids) = ([0; 3], [0; 3]);
        let [real, effective, saved] = &mut uids;
        // SAFETY: the pointers lead to three locals.
        let uids_read = unsafe { libc::getresuid(real, effective, saved) };
        let [real, effective, saved] = &mut gids;
        // SAFETY: the pointers lead to three locals.
        let gids_read = unsafe { libc::getresgid(real, effective, saved) };
        // SAFETY: no pointer is passed.
        let policy = unsafe { libc::sched_getscheduler(0) };
        if uids_read != 0 || gids_read != 0 || policy < 0 {
            return None;
        }
        Some(Self {
            uids,
            gids,
            groups: getgroups().ok()?.into_iter().map(Gid::as_raw).collect(),
            capabilities: [&sets.effective, &sets.permitted, &sets.inheritable]
                .map(|set| set.bits()),
            no_new_privs: no_new_privs().ok()?,
            filter: secure_computing_mode().ok().map(|mode| mode as u32),
            nice: rustix::process::getpriority_process(None).ok()?,
            policy,
            affinity: raw::affinity()?,
        })
    }
}
