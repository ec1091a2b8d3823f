//! Restores this process's dumpable flag after a child that shares its memory and changes its ids.
//!
//! The flag belongs to the memory: the change of ids in the child clears it for the parent too. It
//! is restored once the child has left the memory by its exec. One lock for the whole process
//! guards this: if the flag were set while another such child is there, that child's new user could
//! read and write this memory.

use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};

use super::process_mutex::ProcessMutex;

static CHANGING_IDS: ProcessMutex<()> = ProcessMutex::new();

/// Runs `clone`, which returns when the child has left our memory, and restores the flag.
pub(super) fn kept<R>(clone: impl FnOnce() -> R) -> R {
    let _one_at_a_time = CHANGING_IDS.lock();
    let before = dumpable_behavior();
    let result = clone();
    if matches!(before, Ok(DumpableBehavior::Dumpable)) && dumpable_behavior() != before {
        // It was dumpable before; every process may set this value.
        set_dumpable_behavior(DumpableBehavior::Dumpable).ok();
    }
    result
}
