//! Marks the process in which a value was made: a forked copy inherits the value, and must not use
//! it.
#![expect(unsafe_code, reason = "says that a mark is made of atomics")]

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use super::mapping::{AllAtomic, Mapping};

/// A mark that is valid only in the process that made it.
///
/// The process number alone is no proof: the first process of a namespace has the same number as
/// the first one of another. If the kernel zeroes no page in a forked copy, the number must
/// suffice.
pub(crate) struct ProcessMark {
    page: Mapping,
    is_wiped_on_fork: bool,
    /// The number of the process that made it.
    owner: u32,
}

/// The content of the page.
#[repr(C)]
struct MarkPage {
    /// 1 in the process that made it.
    here: AtomicU32,
}

// SAFETY: the only field is an atomic, and zero is its valid value.
unsafe impl AllAtomic for MarkPage {}

impl ProcessMark {
    /// Makes a mark of this process.
    pub(crate) fn new() -> io::Result<Self> {
        let (page, is_wiped_on_fork) = Mapping::page_wiped_on_fork()?;
        let made: &MarkPage = page.as_ref();
        made.here.store(1, Ordering::Relaxed);
        Ok(Self { page, is_wiped_on_fork, owner: std::process::id() })
    }

    /// Returns whether this process made it.
    pub(crate) fn is_own(&self) -> bool {
        let made: &MarkPage = self.page.as_ref();
        made.here.load(Ordering::Relaxed) == 1
            && (self.is_wiped_on_fork || self.owner == std::process::id())
    }

    /// Returns the number of the process that made it.
    #[cfg(target_os = "linux")]
    pub(super) fn owner(&self) -> u32 {
        self.owner
    }
}

// SAFETY: the page is read and written only as atomics.
unsafe impl Sync for ProcessMark {}
