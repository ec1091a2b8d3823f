//! Pages of zeros, for tables that are never freed.
#![expect(unsafe_code, reason = "memory maps")]

use std::ffi::c_void;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr;

#[cfg(target_os = "linux")]
use rustix::mm::{Advice, madvise};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

pub(super) const PAGE_BYTES: usize = 4096;

/// A page of zeros. Its drop unmaps it.
pub(super) struct ZeroedPage {
    pub(super) start: *mut c_void,
    pub(super) is_wiped_on_fork: bool,
}

impl ZeroedPage {
    /// Maps it. The kernel zeroes it in a forked copy if it can.
    pub(super) fn map() -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: without an address and MAP_FIXED no existing mapping is touched.
        let start =
            unsafe { mmap_anonymous(ptr::null_mut(), PAGE_BYTES, access, MapFlags::PRIVATE)? };
        Ok(Self { start, is_wiped_on_fork: wipe_on_fork(start) })
    }

    /// Returns its address. From here on it stays for ever.
    pub(super) fn publish(self) -> *mut c_void {
        ManuallyDrop::new(self).start
    }
}

impl Drop for ZeroedPage {
    fn drop(&mut self) {
        // SAFETY: a mapping of our own that was not published: no reference is left.
        let unmapped = unsafe { munmap(self.start, PAGE_BYTES) };
        unmapped.ok(); // if a filter refuses the call, it stays mapped
    }
}

/// Makes the kernel zero a page in a forked copy. If it refuses (before Linux 4.14), or on other
/// systems, the owner's number must do.
#[cfg(target_os = "linux")]
fn wipe_on_fork(start: *mut c_void) -> bool {
    // SAFETY: the range is a mapping that was just made, and that nobody else knows.
    unsafe { madvise(start, PAGE_BYTES, Advice::LinuxWipeOnFork) }.is_ok()
}

/// Returns false: this system has no such call.
#[cfg(not(target_os = "linux"))]
fn wipe_on_fork(_: *mut c_void) -> bool {
    false
}
