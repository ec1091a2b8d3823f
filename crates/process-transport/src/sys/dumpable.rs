//! The dumpable flag of this process, around a child that shares its memory and changes its ids.
//!
//! The flag belongs to the memory: the change of ids in the child clears it for the parent too. It
//! is put back when the child has left the memory by its exec, and under one lock for the whole
//! process, because set while another such child is there, it would let that child's new user read
//! and write this memory.

use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};
use std::sync::{Mutex, PoisonError};

static CHANGING_IDS: Mutex<()> = Mutex::new(());

/// Runs `clone`, which returns when the child has left our memory, and puts the flag back.
pub(super) fn kept<R>(clone: impl FnOnce() -> R) -> R {
    let _one_at_a_time = CHANGING_IDS.lock().unwrap_or_else(PoisonError::into_inner);
    let before = dumpable_behavior();
    let result = clone();
    if matches!(before, Ok(DumpableBehavior::Dumpable)) && dumpable_behavior() != before {
        // It was so before, which is the one value that the kernel lets everybody set.
        set_dumpable_behavior(DumpableBehavior::Dumpable).ok();
    }
    result
}
