//! The table: pages of places, linked and never freed. `slot` has the protocol of one place.
#![expect(unsafe_code, reason = "pages that live for ever, and are zero in a forked copy")]

use std::ffi::c_int;
use std::fmt;
use std::io;
use std::iter;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize};

use super::calls;
use super::page::{PAGE_BYTES, ZeroedPage};
use super::scopes::ScopePage;
use super::slot::{Acts, Entry, PlaceSlot};

/// How many places fit in a page after its head.
const SLOTS: usize = 252;

/// The first page of this process, or of the process from which it was forked.
static TABLE: AtomicPtr<TablePage> = AtomicPtr::new(ptr::null_mut());

/// A page, which the kernel zeroes in a forked copy if it can.
#[derive(Debug)]
#[repr(C)]
pub(super) struct TablePage {
    /// The process that made it; 0 in a forked copy if the kernel zeroes it.
    owner: AtomicI32,
    /// Whether the kernel zeroes it.
    is_wiped_on_fork: AtomicI32,
    /// In the first page only, like the fields below.
    pub(super) acts: Acts,
    /// When the first act began, in milliseconds; 0 means not yet.
    pub(super) began: AtomicU32,
    /// The signal of the first act that had one.
    pub(super) cause: AtomicI32,
    /// After a further signal: the children that have no grace any more.
    pub(super) hurry: AtomicI32,
    /// When a signal last stopped a run of this program, in milliseconds; 0 means never.
    pub(super) stopped: AtomicU32,
    /// In the first page only.
    pub(super) scopes: AtomicPtr<ScopePage>,
    next: AtomicPtr<Self>,
    slots: [PlaceSlot; SLOTS],
}

const _: () = assert!(size_of::<TablePage>() <= PAGE_BYTES);

impl TablePage {
    /// Returns the table of this process, if it has one.
    pub(super) fn own() -> Option<&'static Self> {
        page(TABLE.load(SeqCst)).filter(|table| table.is_own())
    }

    /// Returns the table of this process, and makes it if there is none.
    pub(super) fn ensure() -> io::Result<&'static Self> {
        let seen = TABLE.load(SeqCst);
        match page(seen).filter(|table| table.is_own()) {
            Some(table) => Ok(table),
            None => publish(&TABLE, seen),
        }
    }

    /// Returns the number of the process that made it.
    pub(super) fn owner(&self) -> c_int {
        self.owner.load(SeqCst)
    }

    pub(super) fn is_own(&self) -> bool {
        let owner = self.owner.load(SeqCst);
        let is_sure = || self.is_wiped_on_fork.load(SeqCst) != 0;
        owner != 0 && (is_sure() || owner == calls::own_pid())
    }

    /// Returns every place of this table.
    pub(super) fn slots(&'static self) -> impl Iterator<Item = &'static PlaceSlot> {
        let pages = iter::successors(Some(self), |known| page(known.next.load(SeqCst)));
        pages.flat_map(|page| page.slots.iter())
    }
}

fn page(address: *mut TablePage) -> Option<&'static TablePage> {
    // SAFETY: null, or an address that `publish` has stored: a page of zeros at first, which are
    // valid, made of atomics, and mapped as long as this process lives.
    unsafe { address.as_ref() }
}

/// Puts a new page into `cell`, which held `seen`; if another thread or a handler was first,
/// returns theirs. It never waits.
fn publish(cell: &AtomicPtr<TablePage>, seen: *mut TablePage) -> io::Result<&'static TablePage> {
    let new = ZeroedPage::map()?;
    if let Some(table) = page(new.start.cast()) {
        table.is_wiped_on_fork.store(i32::from(new.is_wiped_on_fork), SeqCst);
        table.owner.store(calls::own_pid(), SeqCst);
    }
    let winner = match cell.compare_exchange(seen, new.start.cast(), SeqCst, SeqCst) {
        Ok(_) => new.publish().cast(),
        Err(first) => first, // the new one is unmapped
    };
    page(winner).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Reserves a place for a child that is about to start; its drop releases it.
///
/// # Errors
///
/// No memory; or the owned children of this process were ended, because the process ends.
pub(super) fn reserve(entry: Entry) -> io::Result<Place> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let table = TablePage::ensure()?;
    // The place of the last reservation is usually still taken, so the search starts after it.
    let skipped = NEXT.fetch_add(1, SeqCst) % SLOTS;
    let mut current = table;
    let slot = loop {
        let mut slots = current.slots.iter().cycle().skip(skipped).take(SLOTS);
        if let Some(slot) = slots.find(|slot| slot.claim(entry)) {
            break slot;
        }
        let next = current.next.load(SeqCst);
        current = match page(next) {
            Some(next) => next,
            None => publish(&current.next, next)?,
        };
    };
    if slot.gives_up(&table.acts) {
        return Err(io::Error::other("the owned children were ended, for the program ends"));
    }
    Ok(Place { slot, table })
}

/// A child's place in the table, from before its clone until before its reap. The place of a leader
/// stays, for its group, until its drop.
///
/// It must be dropped before the reap, or [left](Self::before_reap) to the group; and it must be
/// dropped before the pidfd is closed. Both wait while an act is under way, so they wait for good
/// if a signal ends this process.
pub(crate) struct Place {
    slot: &'static PlaceSlot,
    table: &'static TablePage,
}

/// Shows the number only, not the whole table.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.slot.pid).finish()
    }
}

/// Where the kernel writes the numbers of a new child.
#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Copy)]
pub(in crate::sys) struct Cells {
    pub(in crate::sys) pid: *mut c_int,
    pub(in crate::sys) pidfd: *mut c_int,
}

impl Place {
    /// Returns pointers to memory that is never freed, and that others access as atomics.
    #[cfg(target_os = "linux")]
    pub(in crate::sys) fn cells(&self) -> Cells {
        Cells { pid: self.slot.pid.as_ptr(), pidfd: self.slot.pidfd.as_ptr() }
    }

    /// Returns the number of this process.
    pub(super) fn owner(&self) -> c_int {
        self.table.owner()
    }

    /// Records the child, which exists now. Afterwards no descriptor but `pidfd` is used for it.
    pub(crate) fn settle(&self, pid: u32, pidfd: Option<BorrowedFd<'_>>) {
        let moved = pidfd.map_or(-1, |pidfd| pidfd.as_raw_fd());
        self.slot.settle(pid, moved, &self.table.acts);
    }

    /// Records that the program asks the child to end, by a termination.
    #[cfg(feature = "reactor")]
    pub(crate) fn ask_to_end(&self) {
        self.slot.ask_to_end();
    }

    /// Prepares the reap of the child. The place of a leader with a pidfd stays, for its group.
    #[must_use = "dropping it gives the place back"]
    pub(crate) fn before_reap(self) -> Option<Self> {
        let leads_group = self.slot.leads_group();
        let has_pidfd = cfg!(target_os = "linux") && self.slot.pidfd.load(SeqCst) >= 0;
        if !(leads_group && has_pidfd && self.table.is_own()) {
            return None;
        }
        self.slot.leave(&self.table.acts);
        Some(self)
    }

    /// Forgets the pidfd, which is about to be closed: from here on only the number is used.
    pub(crate) fn forget_pidfd(&self) {
        if self.table.is_own() {
            self.slot.forget_pidfd(&self.table.acts);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A forked copy has no place in the table.
        if !self.table.is_own() {
            return;
        }
        self.slot.release(&self.table.acts);
    }
}
