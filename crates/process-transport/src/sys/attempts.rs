//! Which paths a launch tries, and what is learnt of them.
//!
//! Nothing is started but children that were asked for: the first launch on a path is its probe. A
//! path that turns out not to work here gives way to the next one, and is left out from then on where
//! the reason is a lasting one and the next one works.

use super::outcome::LaunchError;
use procession_protocol::SpawnPath;
use std::sync::atomic::{AtomicU32, Ordering};

/// A child with CLONE_VM wrote to its parent's memory, which was there when the clone returned: memory
/// is shared, and CLONE_VFORK waits.
const SHARES_MEMORY: u32 = 1;
/// It wrote to a copy of it: an emulator.
const COPIES_MEMORY: u32 = 2;
/// A table cannot be shared and left.
const NO_SHARED_FILES: u32 = 4;
/// There is no clone with CLONE_VM.
const NO_SHARED_MEMORY: u32 = 8;
/// Who calls `close_range` is killed.
const NO_CLOSE_RANGE: u32 = 16;
/// A copied table has no stale bits in it.
#[cfg(target_os = "linux")]
const SOUND: u32 = 32;

/// What holds of this process, and of what is forked from it.
static LEARNT: AtomicU32 = AtomicU32::new(0);

fn has_learnt(bit: u32) -> bool {
    LEARNT.load(Ordering::Relaxed) & bit != 0
}

fn learn(bits: u32) {
    LEARNT.fetch_or(bits, Ordering::Relaxed);
}

/// How one attempt starts its child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) path: SpawnPath,
    /// Without calls that can be done without.
    pub(crate) is_plain: bool,
}

/// The attempts of one launch.
#[derive(Debug)]
pub(crate) struct Attempts {
    manner: Manner,
    is_forced: bool,
    /// What a way that works will have shown.
    shown: u32,
}

impl Attempts {
    /// On this path and no other.
    pub(crate) fn on(path: SpawnPath) -> Self {
        let manner = Manner { path, is_plain: has_learnt(NO_CLOSE_RANGE) };
        Self { manner, is_forced: true, shown: 0 }
    }

    /// From the best path on that is known to work, or not known not to.
    pub(crate) fn from_best() -> Self {
        Self { is_forced: false, ..Self::on(best_path()) }
    }

    pub(crate) fn manner(&self) -> Manner {
        self.manner
    }

    /// An attempt failed; returns whether there is another one.
    pub(crate) fn on_failed(&mut self, error: &LaunchError) -> bool {
        let Manner { path, is_plain } = self.manner;
        let works_not = match path {
            SpawnPath::SharedFiles => NO_SHARED_FILES,
            SpawnPath::SharedMemory => NO_SHARED_MEMORY,
            _ => 0,
        };
        match error {
            LaunchError::Child(..) | LaunchError::PreExec => return false,
            LaunchError::Clone(error) if is_shortage(error.raw_os_error()) => return false,
            LaunchError::Path(_) | LaunchError::TooMany { .. } => {}
            LaunchError::Refused(errno) if is_shortage(Some(*errno)) => {}
            LaunchError::Killed { in_close_range: true, .. } => {
                self.manner.is_plain = true;
                self.shown |= NO_CLOSE_RANGE;
                if path == SpawnPath::SharedFiles {
                    self.shown |= NO_SHARED_FILES;
                } else if !is_plain {
                    return true;
                }
            }
            LaunchError::Refused(_) | LaunchError::Killed { .. } | LaunchError::Clone(_) => {
                self.shown |= works_not;
            }
        }
        match path {
            _ if self.is_forced => return false,
            SpawnPath::SharedFiles => self.manner.path = SpawnPath::SharedMemory,
            SpawnPath::SharedMemory => self.manner.path = SpawnPath::Fork,
            _ => return false,
        }
        true
    }

    /// This attempt has started its child.
    pub(crate) fn on_started(self) {
        if self.shown != 0 {
            learn(self.shown);
        }
    }
}

/// Whether a call failed for what may be there the next time, and not for what it asked.
pub(super) fn is_shortage(errno: Option<i32>) -> bool {
    matches!(errno, Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE))
}

fn best_path() -> SpawnPath {
    let learnt = LEARNT.load(Ordering::Relaxed);
    if !cfg!(target_os = "linux") || learnt & (COPIES_MEMORY | NO_SHARED_MEMORY) != 0 {
        SpawnPath::Fork
    } else if learnt & NO_SHARED_FILES != 0 || learnt & SHARES_MEMORY == 0 && is_emulated() {
        SpawnPath::SharedMemory
    } else {
        SpawnPath::SharedFiles
    }
}

/// Whether the kernel may be none: an emulator that has no page of the kernel's to show (valgrind, old
/// qemu) may end a process for a clone that it does not know. It is asked for the usual one first.
#[cfg(target_os = "linux")]
fn is_emulated() -> bool {
    super::raw::vdso() == 0
}

#[cfg(not(target_os = "linux"))]
fn is_emulated() -> bool {
    false
}

/// Whether a clone with CLONE_VFORK is known to wait.
#[cfg(target_os = "linux")]
pub(super) fn clone_waits() -> bool {
    has_learnt(SHARES_MEMORY)
}

/// What a child with CLONE_VM has shown: whether its memory was its parent's.
#[cfg(target_os = "linux")]
pub(super) fn on_memory(is_shared: bool) {
    let bit = if is_shared { SHARES_MEMORY } else { COPIES_MEMORY };
    if !has_learnt(bit) {
        learn(bit);
    }
}

/// Whether children are to look for stale bits in a table that was copied for them.
#[cfg(target_os = "linux")]
pub(super) fn may_be_stale() -> bool {
    if !has_learnt(SOUND) && super::stale::is_fixed_kernel() {
        learn(SOUND);
    }
    !has_learnt(SOUND)
}

/// A child has found none where there could have been some.
#[cfg(target_os = "linux")]
pub(super) fn on_sound() {
    learn(SOUND);
}
