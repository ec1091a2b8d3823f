//! In which process something was made: a forked copy of it has what its parent had, and must not use
//! it.
#![expect(unsafe_code, reason = "says that a mark is made of atomics")]

use super::mapping::{AllAtomic, Mapping};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// Made in one process, and not its own in any other.
///
/// The number alone is no proof: the first process of a namespace has the number of the first one in
/// another. Where the kernel zeroes no page in a forked copy the number must do.
pub(crate) struct Mark {
    page: Mapping,
    is_wiped_on_fork: bool,
    /// The number of the process.
    owner: u32,
}

/// What is in the page.
#[repr(C)]
struct Made {
    /// 1 in the process that made it.
    here: AtomicU32,
}

// SAFETY: the only field is an atomic, and zero is its valid value.
unsafe impl AllAtomic for Made {}

impl Mark {
    /// One of this process.
    pub(crate) fn new() -> io::Result<Self> {
        let (page, is_wiped_on_fork) = Mapping::page_wiped_on_fork()?;
        let made: &Made = page.as_ref();
        made.here.store(1, Ordering::Relaxed);
        Ok(Self { page, is_wiped_on_fork, owner: std::process::id() })
    }

    /// Whether this is the process that made it.
    pub(crate) fn is_own(&self) -> bool {
        let made: &Made = self.page.as_ref();
        made.here.load(Ordering::Relaxed) == 1
            && (self.is_wiped_on_fork || self.owner == std::process::id())
    }

    /// The number of the process that made it.
    #[cfg(target_os = "linux")]
    pub(super) fn owner(&self) -> u32 {
        self.owner
    }
}

// SAFETY: the page is read and written as atomics only, and unmapped by the one owner.
unsafe impl Send for Mark {}
