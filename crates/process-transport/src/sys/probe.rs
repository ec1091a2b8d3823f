//! Which paths work here: tried once per process, with children that touch nothing of ours.
//!
//! The outer child has a copy of our descriptor table and runs on our memory; in it an inner child is
//! cloned as the mailbox path does it, with the outer child's table. What a filter, an emulator or an
//! old kernel makes of that is seen there, not in the caller. A process that the kernel kills for it
//! is an answer too. Each reaps the one that it made.
#![expect(unsafe_code, reason = "clone")]

use super::mapping::{AllAtomic, Mapping};
use super::raw;
use procession_protocol::SpawnPath;
use std::ffi::{c_int, c_void};
use std::io;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the inner child cuts the table; the outer one has nothing above that the probe needs.
const CUT: c_int = 64;
/// Open above the cut in the outer child, to be gone in the inner one. With it is all from the cut
/// on: a whole word of the table's bitmap, which is what leaves the stale bit of [`LOWEST`].
const SENTINEL: c_int = CUT + 63;

/// What the children saw, in memory that all three share however they were cloned.
#[repr(C)]
struct Seen {
    bits: AtomicU32,
}

// SAFETY: the only field is an atomic, and zero is its valid value.
unsafe impl AllAtomic for Seen {}

/// The inner child ran, with the outer one's memory.
const RAN: u32 = 1;
/// `close_range` with UNSHARE gave the inner child its own table.
const UNSHARED: u32 = 2;
/// The lowest free number is what the table gives: kernels from 5.9 to mid-2024 without the fix of
/// CVE-2024-45025 leave stale bits behind, and the program would run out of numbers early.
const LOWEST: u32 = 4;
/// The outer child's table was left alone.
const UNTOUCHED: u32 = 8;
/// There was a pidfd.
const PIDFD: u32 = 16;
/// A child with CLONE_VM wrote to memory that is not MAP_SHARED, and its parent saw it.
const SHARED: u32 = 32;

/// For want of memory or processes the inner child was not tried, or not as it has to be.
const UNTRIED: u32 = 64;

/// The best path that works in this process.
pub(crate) fn best_path() -> SpawnPath {
    static BEST: OnceLock<SpawnPath> = OnceLock::new();
    if let Some(best) = BEST.get() {
        return *best;
    }
    // No memory or no process for the probe is no answer: the next spawn asks again.
    let Ok(bits) = probe() else { return SpawnPath::Fork };
    let best = best_by(bits);
    if bits & UNTRIED == 0 { *BEST.get_or_init(|| best) } else { best }
}

fn best_by(bits: u32) -> SpawnPath {
    let files = SHARED | RAN | PIDFD | UNSHARED | LOWEST | UNTOUCHED;
    if bits & files == files {
        SpawnPath::SharedFiles
    } else if bits & SHARED != 0 {
        SpawnPath::SharedMemory
    } else {
        SpawnPath::Fork
    }
}

/// The outer child's world.
struct Outer<'a> {
    seen: &'a Seen,
    inner_stack: *mut c_void,
    /// On our stack, so shared only if memory is.
    private: AtomicU32,
}

fn probe() -> io::Result<u32> {
    let page = Mapping::shared_page()?;
    let (stack, inner_stack) = (Mapping::stack()?, Mapping::stack()?);
    let seen: &Seen = page.as_ref();
    let outer = Outer { seen, inner_stack: inner_stack.top(), private: AtomicU32::new(0) };
    let mask = raw::set_mask(u64::MAX).map_err(io::Error::from_raw_os_error)?;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let argument = ptr::from_ref(&outer).cast_mut().cast();
    // SAFETY: as in `launch::clone_once`: own stack, signals blocked, CLONE_VFORK.
    let pid = unsafe { libc::clone(run_outer, stack.top(), flags, argument) };
    let error = io::Error::last_os_error();
    raw::set_mask(mask).map_err(io::Error::from_raw_os_error)?;
    let Ok(pid) = u32::try_from(pid) else { return Err(error) };
    super::wait::reap_failed(pid, None);
    let shared = if outer.private.load(Ordering::Acquire) == 1 { SHARED } else { 0 };
    Ok(seen.bits.load(Ordering::Acquire) | shared)
}

extern "C" fn run_outer(argument: *mut c_void) -> c_int {
    // SAFETY: `probe` passes a pointer to an `Outer` that it keeps until this child has ended.
    let outer: &Outer<'_> = unsafe { &*argument.cast::<Outer<'_>>() };
    outer.private.store(1, Ordering::Release);
    // This table is a copy: number 0 and the sentinel are ours to make.
    let null = raw::open_for_writing(c"/dev/null").unwrap_or(0);
    let mut numbers = (CUT..=SENTINEL).filter(|number| *number != null);
    if let Some(errno) = numbers.find_map(|number| raw::dup(null, number, true).err()) {
        outer.seen.bits.fetch_or(untried(errno), Ordering::AcqRel);
        raw::exit(0);
    }
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
    let argument = ptr::from_ref(outer).cast_mut().cast();
    // SAFETY: as in `launch::clone_once`; the second stack is this child's to use.
    let pid = unsafe {
        libc::clone(
            run_inner,
            outer.inner_stack,
            flags | libc::CLONE_PIDFD | libc::SIGCHLD,
            argument,
            &raw mut pidfd,
        )
    };
    let mut bits = if pid < 0 { untried(raw::last_errno()) } else { 0 };
    if pid > 0 && pidfd >= 0 {
        bits |= PIDFD;
    }
    if raw::is_open(SENTINEL) && raw::is_open(null) {
        bits |= UNTOUCHED;
    }
    outer.seen.bits.fetch_or(bits, Ordering::AcqRel);
    if let Ok(inner @ 1..) = u32::try_from(pid) {
        // Or it is left to whoever adopts what this process leaves: the caller, if it is the first of
        // its PID namespace or a subreaper, which knows nothing of it.
        raw::reap(inner);
    }
    raw::exit(0)
}

/// A want that may be over by the next spawn is no answer; a limit that leaves no such number is.
fn untried(errno: i32) -> u32 {
    match errno {
        libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE => UNTRIED,
        _ => 0,
    }
}

extern "C" fn run_inner(argument: *mut c_void) -> c_int {
    // SAFETY: as in `run_outer`, which stands still until this child has ended.
    let outer: &Outer<'_> = unsafe { &*argument.cast::<Outer<'_>>() };
    let mut bits = RAN;
    let unshared = raw::unshare_from(CUT.cast_unsigned()).is_ok();
    // A faked success: this table is still the outer child's, and nothing here may change it.
    if unshared && !raw::is_open(SENTINEL) {
        bits |= UNSHARED;
        if raw::lowest_from(CUT) == Ok(CUT) {
            bits |= LOWEST;
        }
    }
    outer.seen.bits.fetch_or(bits, Ordering::AcqRel);
    raw::exit(0)
}

#[cfg(test)]
mod tests {
    use super::{RAN, best_path, probe};

    #[test]
    fn the_probe_says_the_same_each_time() {
        let bits = probe().unwrap();
        assert_eq!(bits & RAN, RAN);
        assert_eq!(bits, probe().unwrap());
        assert_eq!(best_path(), best_path());
    }
}
