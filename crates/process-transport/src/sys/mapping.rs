//! Memory that a child runs on, or shares with its parent on every path.
#![expect(unsafe_code, reason = "memory maps")]

use std::ffi::c_void;
use std::io;
use std::ptr;

#[cfg(target_os = "linux")]
use rustix::mm::MprotectFlags;
use rustix::mm::{MapFlags, ProtFlags};

#[cfg(target_os = "linux")]
use super::sanitizer;

/// Usable bytes of a child's stack. A signal frame with every register set takes 3,400 bytes on
/// today's machines (`AT_MINSIGSTKSZ`); the child's own frames take less than 4 KiB in a debug
/// build.
#[cfg(target_os = "linux")]
const STACK_BYTES: usize = 64 << 10;

/// The size of the guard below the stack: the largest page of the supported systems.
#[cfg(target_os = "linux")]
const GUARD_BYTES: usize = 64 << 10;

/// Types made only of atomics, for which all zeros is a valid value.
///
/// # Safety
///
/// Both must hold: other processes write to them, and they begin as zeros.
pub(super) unsafe trait AllAtomic {}

/// Memory of our own, unmapped on drop.
pub(super) struct Mapping {
    start: *mut c_void,
    bytes: usize,
}

// SAFETY: its one owner uses and unmaps it, on whatever thread.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps a stack with a guard below it.
    #[cfg(target_os = "linux")]
    pub(super) fn stack() -> io::Result<Self> {
        let bytes = STACK_BYTES + GUARD_BYTES;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::STACK;
        let mapping = Self::anonymous(bytes, flags)?;
        // SAFETY: the range is the lower part of the mapping made above, which nobody uses yet.
        unsafe { rustix::mm::mprotect(mapping.start, GUARD_BYTES, MprotectFlags::empty())? };
        Ok(mapping)
    }

    /// Maps a page that a child with copied memory shares.
    pub(super) fn shared_page() -> io::Result<Self> {
        Self::anonymous(4096, MapFlags::SHARED)
    }

    /// Maps a page that a forked copy of this process finds zeroed; returns also whether it does.
    /// If the system cannot do that (Linux before 4.14, emulators), a copy finds the parent's
    /// values.
    pub(super) fn page_wiped_on_fork() -> io::Result<(Self, bool)> {
        let mapping = Self::anonymous(4096, MapFlags::PRIVATE)?;
        let is_wiped = mapping.wipe_on_fork();
        Ok((mapping, is_wiped))
    }

    #[cfg(target_os = "linux")]
    fn wipe_on_fork(&self) -> bool {
        let advice = rustix::mm::Advice::LinuxWipeOnFork;
        // SAFETY: the range is the mapping; this process does not rely on what a copy of it finds
        // there.
        unsafe { rustix::mm::madvise(self.start, self.bytes, advice) }.is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn wipe_on_fork(&self) -> bool {
        false
    }

    fn anonymous(bytes: usize, flags: MapFlags) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: without an address and MAP_FIXED no existing mapping is touched.
        let start = unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), bytes, access, flags)? };
        Ok(Self { start, bytes })
    }

    /// Returns the end of the mapping: stacks grow downwards.
    #[cfg(target_os = "linux")]
    pub(super) fn top(&self) -> *mut c_void {
        self.start.wrapping_byte_add(self.bytes)
    }

    /// Forgets what a sanitizer knows about the frames of a child that left this stack by its exec. The
    /// next child's frames would lie among their borders.
    #[cfg(target_os = "linux")]
    pub(super) fn forget_frames(&self) {
        let usable = self.start.wrapping_byte_add(GUARD_BYTES);
        sanitizer::forget(usable, self.bytes.saturating_sub(GUARD_BYTES));
    }

    /// Returns the beginning of the page, as a value that parent and child share.
    pub(super) fn as_ref<T: AllAtomic>(&self) -> &T {
        const { assert!(size_of::<T>() <= 4096 && align_of::<T>() <= 4096) };
        // SAFETY: a mapping is page-aligned, at least a page large, zero-filled at first (a valid
        // `T`, by the trait), and lives as long as `self`; a `T` is all atomics.
        unsafe { &*self.start.cast::<T>() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: start and length of a mapping that `anonymous` made; children have left it.
        let unmapped = unsafe { rustix::mm::munmap(self.start, self.bytes) };
        unmapped.ok(); // if a filter refuses the call, it stays mapped
    }
}
