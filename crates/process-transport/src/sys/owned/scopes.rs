//! The scopes that end with the program: the descriptors of their `cgroup.kill`, in pages like those
//! of the places. An act writes to each.
//!
//! A descriptor is in the table from before the scope's first child until its removal. The remover
//! writes 0, then reads *acting*, as the remover of a place does: so either it waits before the
//! descriptor is closed, or no act sees the number.
#![expect(unsafe_code, reason = "pages that live for ever, and a call in a signal handler")]

use std::ffi::c_int;
use std::io;
use std::iter;
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicPtr};

use super::page::{PAGE_BYTES, ZeroedPage};

/// How many scopes fit in a page.
const SCOPES: usize = 1000;

/// A page of scopes; zeros mean that there is none.
#[derive(Debug)]
#[repr(C)]
pub(super) struct ScopePage {
    next: AtomicPtr<Self>,
    /// Each the number of a descriptor, plus 1.
    kills: [AtomicI32; SCOPES],
}

const _: () = assert!(size_of::<ScopePage>() <= PAGE_BYTES);

fn page(address: *mut ScopePage) -> Option<&'static ScopePage> {
    // SAFETY: null, or an address that `publish` has stored: a page of zeros at first, which are
    // valid, made of atomics, and mapped as long as this process lives.
    unsafe { address.as_ref() }
}

/// Returns the page in `cell`, and makes it if there is none. It never waits.
fn page_in(cell: &AtomicPtr<ScopePage>) -> io::Result<&'static ScopePage> {
    if let Some(known) = page(cell.load(SeqCst)) {
        return Ok(known);
    }
    let new = ZeroedPage::map()?;
    let winner = match cell.compare_exchange(ptr::null_mut(), new.start.cast(), SeqCst, SeqCst) {
        Ok(_) => new.publish().cast(),
        Err(first) => first, // the new one is unmapped
    };
    page(winner).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Returns the scopes of a table.
fn pages(first: &AtomicPtr<ScopePage>) -> impl Iterator<Item = &'static ScopePage> {
    iter::successors(page(first.load(SeqCst)), |known| page(known.next.load(SeqCst)))
}

/// Kills what is in each scope. Async-signal-safe.
pub(super) fn kill_all(first: &AtomicPtr<ScopePage>) {
    for cell in pages(first).flat_map(|page| page.kills.iter()) {
        let number = cell.load(SeqCst) - 1;
        if number >= 0 {
            // SAFETY: pointer and length are those of one constant. The number is that of an open
            // `cgroup.kill`: see the page above.
            unsafe { libc::write(number, b"1".as_ptr().cast(), 1) };
        }
    }
}

/// Puts the number of a descriptor into a free cell. It never waits.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has cgroups"))]
pub(super) fn put(
    first: &'static AtomicPtr<ScopePage>,
    fd: c_int,
) -> io::Result<&'static AtomicI32> {
    let mut next = first;
    loop {
        let page = page_in(next)?;
        let take = |cell: &&AtomicI32| cell.compare_exchange(0, fd + 1, SeqCst, SeqCst).is_ok();
        if let Some(cell) = page.kills.iter().find(take) {
            return Ok(cell);
        }
        next = &page.next;
    }
}
