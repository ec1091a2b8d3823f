//! Chooses the paths that a launch tries, and remembers what was learnt about them.
//!
//! Only children that were asked for are started: the first launch on a path is its probe. If a
//! path does not work here, the launch tries the next one. If the reason is a lasting one and the
//! next path works, later launches skip the failed path.

use std::sync::atomic::{AtomicU32, Ordering};

use procession_protocol::SpawnPath;

use super::outcome::LaunchError;

/// A child with CLONE_VM wrote to its parent's memory, and the write was visible when the clone
/// returned: memory is shared, and CLONE_VFORK waits.
const SHARES_MEMORY: u32 = 1;
/// The child wrote to a copy of the memory: an emulator.
const COPIES_MEMORY: u32 = 2;
/// A shared table cannot be left.
const NO_SHARED_FILES: u32 = 4;
/// There is no clone with CLONE_VM.
const NO_SHARED_MEMORY: u32 = 8;
/// A process that calls `close_range` is killed.
const NO_CLOSE_RANGE: u32 = 16;
/// A copied table has no stale bits.
#[cfg(target_os = "linux")]
const SOUND: u32 = 32;
/// The last child that looked for its parent was in its parent's PID namespace.
#[cfg(target_os = "linux")]
const SAME_NAMESPACE: u32 = 64;

/// The facts learnt about this process and its forked copies.
static LEARNT: AtomicU32 = AtomicU32::new(0);

fn has_learnt(bit: u32) -> bool {
    LEARNT.load(Ordering::Relaxed) & bit != 0
}

fn learn(bits: u32) {
    LEARNT.fetch_or(bits, Ordering::Relaxed);
}

/// How one attempt starts its child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LaunchMode {
    pub(crate) path: SpawnPath,
    /// Without calls that are not essential.
    pub(crate) is_plain: bool,
}

/// The attempts of one launch.
#[derive(Debug)]
pub(crate) struct Attempts {
    mode: LaunchMode,
    is_forced: bool,
    /// The facts that are shown once an attempt works.
    shown: u32,
}

impl Attempts {
    /// Creates attempts on this path only.
    pub(crate) fn on(path: SpawnPath) -> Self {
        let mode = LaunchMode { path, is_plain: has_learnt(NO_CLOSE_RANGE) };
        Self { mode, is_forced: true, shown: 0 }
    }

    /// Creates attempts from the best path that works, or that is not known to fail.
    pub(crate) fn from_best() -> Self {
        Self { is_forced: false, ..Self::on(best_path()) }
    }

    pub(crate) fn mode(&self) -> LaunchMode {
        self.mode
    }

    /// Records a failed attempt; returns whether there is another one.
    pub(crate) fn on_failed(&mut self, error: &LaunchError) -> bool {
        let LaunchMode { path, is_plain, .. } = self.mode;
        let works_not = match path {
            SpawnPath::SharedFiles => NO_SHARED_FILES,
            SpawnPath::SharedMemory => NO_SHARED_MEMORY,
            _ => 0,
        };
        match error {
            LaunchError::Child(..) | LaunchError::PreExec | LaunchError::KilledAtBirth(_) => {
                return false;
            }
            LaunchError::Clone(error) if is_shortage(error.raw_os_error()) => return false,
            LaunchError::Path(_) | LaunchError::TooMany { .. } => {}
            LaunchError::Refused(errno) if is_shortage(Some(*errno)) => {}
            LaunchError::Killed { in_close_range: true, .. } => {
                self.mode.is_plain = true;
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
            SpawnPath::SharedFiles => self.mode.path = SpawnPath::SharedMemory,
            SpawnPath::SharedMemory => self.mode.path = SpawnPath::Fork,
            _ => return false,
        }
        true
    }

    /// Records that this attempt has started its child.
    pub(crate) fn on_started(self) {
        if self.shown != 0 {
            learn(self.shown);
        }
    }
}

/// Returns whether a call failed for a transient shortage, and not because of what it asked for.
pub(super) fn is_shortage(errno: Option<i32>) -> bool {
    matches!(errno, Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE))
}

/// Returns the best path that is not known to fail.
///
/// A 32-bit program cannot tell how many numbers a word of the kernel's tables covers, 32 or 64. So
/// its children cannot look for stale bits.
fn best_path() -> SpawnPath {
    let learnt = LEARNT.load(Ordering::Relaxed);
    if !cfg!(target_os = "linux") || learnt & (COPIES_MEMORY | NO_SHARED_MEMORY) != 0 {
        SpawnPath::Fork
    } else if learnt & NO_SHARED_FILES != 0
        || learnt & SHARES_MEMORY == 0 && is_emulated()
        || cfg!(target_pointer_width = "32") && may_be_stale()
    {
        SpawnPath::SharedMemory
    } else {
        SpawnPath::SharedFiles
    }
}

/// Returns whether the kernel may be an emulator: one without a vDSO page (valgrind, old qemu) may
/// end a process for a clone that it does not know. So the usual clone is tried first.
#[cfg(target_os = "linux")]
fn is_emulated() -> bool {
    super::raw::vdso() == 0
}

#[cfg(not(target_os = "linux"))]
fn is_emulated() -> bool {
    false
}

/// Returns whether a clone with CLONE_VFORK is known to wait.
#[cfg(target_os = "linux")]
pub(super) fn clone_waits() -> bool {
    has_learnt(SHARES_MEMORY)
}

/// Records whether a child with CLONE_VM shared its parent's memory.
#[cfg(target_os = "linux")]
pub(super) fn on_memory(is_shared: bool) {
    let bit = if is_shared { SHARES_MEMORY } else { COPIES_MEMORY };
    if !has_learnt(bit) {
        learn(bit);
    }
}

/// Returns whether children must look for stale bits in a table that was copied for them.
#[cfg(target_os = "linux")]
pub(super) fn may_be_stale() -> bool {
    if !has_learnt(SOUND) && super::stale::is_fixed_kernel() {
        learn(SOUND);
    }
    !has_learnt(SOUND)
}

/// Returns false: no table is shared.
#[cfg(not(target_os = "linux"))]
fn may_be_stale() -> bool {
    false
}

/// Records that a child found no stale bits where there could have been some.
#[cfg(target_os = "linux")]
pub(super) fn on_sound() {
    learn(SOUND);
}

/// Returns whether the next child may be in another PID namespace.
#[cfg(target_os = "linux")]
pub(super) fn may_be_elsewhere() -> bool {
    !has_learnt(SAME_NAMESPACE)
}

/// Records whether a child that has looked for its parent is in another PID namespace.
#[cfg(target_os = "linux")]
pub(super) fn on_namespace(is_elsewhere: bool) {
    if is_elsewhere {
        LEARNT.fetch_and(!SAME_NAMESPACE, Ordering::Relaxed);
    } else if !has_learnt(SAME_NAMESPACE) {
        learn(SAME_NAMESPACE);
    }
}
