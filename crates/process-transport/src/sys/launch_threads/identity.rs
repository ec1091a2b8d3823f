//! What a child has from the thread that launches it, and not from the process.
#![expect(unsafe_code, reason = "ids and policy of a thread")]

use std::mem::MaybeUninit;

use rustix::process::{Gid, getgroups};
use rustix::thread::{capabilities, no_new_privs, secure_computing_mode};

use crate::sys::raw;

/// The words of a mask of 1,024 processors.
const CPU_WORDS: usize = 16;

/// The supplementary groups that one call can read. With more of them it takes three.
const USUAL_GROUPS: usize = 64;

/// The words of the kernel's `struct sched_attr`, in its first and shortest form.
const SCHEDULE_WORDS: usize = 6;

/// One thread, as its children inherit it: ids, groups, capabilities, filters, policy with its
/// priority and its nice value, affinity.
///
/// It is read for each launch, by the thread that asks and by the one that launches, so each call
/// counts. Namespaces of a thread are left out: to read them takes longer than a launch.
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
    /// Size, policy, flags, nice value, priority, and the times of policies that have them.
    schedule: [u64; SCHEDULE_WORDS],
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
        if uids_read != 0 || gids_read != 0 {
            return None;
        }
        Some(Self {
            uids,
            gids,
            groups: groups()?,
            capabilities: [&sets.effective, &sets.permitted, &sets.inheritable]
                .map(|set| set.bits()),
            no_new_privs: no_new_privs().ok()?,
            filter: secure_computing_mode().ok().map(|mode| mode as u32),
            schedule: schedule()?,
            affinity: raw::affinity()?,
        })
    }
}

/// Returns the supplementary groups.
fn groups() -> Option<Vec<u32>> {
    let mut groups = [MaybeUninit::<libc::gid_t>::uninit(); USUAL_GROUPS];
    let most = libc::c_int::try_from(groups.len()).ok()?;
    // SAFETY: pointer and length are those of one local.
    let count = unsafe { libc::getgroups(most, groups.as_mut_ptr().cast()) };
    let Ok(count) = usize::try_from(count) else {
        // There are more.
        return Some(getgroups().ok()?.into_iter().map(Gid::as_raw).collect());
    };
    // SAFETY: the call has written so many of them.
    Some(groups.iter().take(count).map(|group| unsafe { group.assume_init() }).collect())
}

/// Returns policy, priority and nice value (`sched_getattr(2)`).
fn schedule() -> Option<[u64; SCHEDULE_WORDS]> {
    let mut schedule = [0; SCHEDULE_WORDS];
    let (pointer, size) = (schedule.as_mut_ptr(), size_of_val(&schedule));
    // SAFETY: pointer and size are those of one local.
    let result = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, pointer, size, 0) };
    (result == 0).then_some(schedule)
}
