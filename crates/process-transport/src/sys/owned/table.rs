//! The table: pages of places, linked and never freed. The module's page has the protocol of the
//! code that enters, leaves and acts.
#![expect(unsafe_code, reason = "pages that live for ever, and are zero in a forked copy")]

use std::ffi::{c_int, c_void};
use std::fmt;
use std::io;
use std::iter;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize};

#[cfg(target_os = "linux")]
use rustix::mm::{Advice, madvise};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use super::calls;
use super::member::Member;

/// States of a place.
const FREE: i32 = 0;
/// From the reservation until the child is known.
const STARTING: i32 = 1;
const RUNNING: i32 = 2;
/// The leader is reaped, or about to be, and code still waits for its group: an act reaches the
/// group by the pidfd alone, and the number names no process.
const LEFT: i32 = 3;

/// Bits of [`PlaceSlot::about`], above the grace in milliseconds.
const GRACE: u32 = 0xffff;
const LEADS_GROUP: u32 = 1 << 16;
/// TERM was sent.
const TERM_SENT: u32 = 1 << 17;
/// KILL was sent because the child's own grace was over.
const KILL_SENT: u32 = 1 << 18;
/// The program has asked the child to end, by a termination.
const END_REQUESTED: u32 = 1 << 20;
/// Its group was stopped with the program.
#[cfg(feature = "reactor")]
const STOPPED: u32 = 1 << 19;

const PAGE_BYTES: usize = 4096;

/// How many places fit in a page after its head.
const SLOTS: usize = 253;

/// The pause of a remover between two checks for running acts.
const LOOK_AGAIN_MS: c_int = 1;

/// The first page of this process, or of the process from which it was forked.
static TABLE: AtomicPtr<TablePage> = AtomicPtr::new(ptr::null_mut());

/// The data of a child in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The child leads the group that has its pid.
    pub(crate) leads_group: bool,
    /// The time between TERM and KILL, in milliseconds.
    pub(crate) grace_ms: u16,
}

/// One child, or nothing.
#[derive(Debug)]
#[repr(C)]
pub(super) struct PlaceSlot {
    state: AtomicI32,
    /// 0 if there is no child or it is about to be reaped; the group's number if the leader has
    /// left it.
    pid: AtomicI32,
    /// Valid while `pid` is not 0; -1 if there is no pidfd.
    pidfd: AtomicI32,
    about: AtomicU32,
}

/// A page, which the kernel zeroes in a forked copy if it can.
#[derive(Debug)]
#[repr(C)]
pub(super) struct TablePage {
    /// The process that made it; 0 in a forked copy if the kernel zeroes it.
    owner: AtomicI32,
    /// Whether the kernel zeroes it.
    is_wiped_on_fork: AtomicI32,
    /// In the first page only, like the fields below: an act has begun, perhaps some time ago.
    dying: AtomicI32,
    /// How many acts are under way.
    acting: AtomicI32,
    /// When the first act began, in milliseconds; 0 means not yet.
    pub(super) began: AtomicU32,
    /// The signal of the first act that had one.
    pub(super) cause: AtomicI32,
    /// After a further signal: the children that have no grace any more.
    pub(super) hurry: AtomicI32,
    /// When a signal last stopped a run of this program, in milliseconds; 0 means never.
    pub(super) stopped: AtomicU32,
    next: AtomicPtr<Self>,
    slots: [PlaceSlot; SLOTS],
}

const _: () = assert!(size_of::<TablePage>() <= PAGE_BYTES);

/// What an act finds in a place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Occupant {
    Nobody,
    /// A clone is under way.
    Starting,
    Child(Member),
}

impl PlaceSlot {
    pub(super) fn occupant(&self) -> Occupant {
        let state = self.state.load(SeqCst);
        // The pidfd is read after the number: see the audit.
        let pid = self.pid.load(SeqCst);
        let pidfd = self.pidfd.load(SeqCst);
        let about = self.about.load(SeqCst);
        match state {
            FREE => Occupant::Nobody,
            LEFT if pidfd < 0 => Occupant::Nobody,
            // Greater than 1, because `kill` takes a number of 1 or below for more than one
            // process.
            _ if pid > 1 => Occupant::Child(Member {
                pid,
                pidfd,
                leads_group: about & LEADS_GROUP != 0,
                is_left: state == LEFT,
                grace_ms: about & GRACE,
            }),
            STARTING => Occupant::Starting,
            _ => Occupant::Nobody,
        }
    }

    /// Marks TERM as sent; returns whether no act had sent it before.
    pub(super) fn mark_term_sent(&self) -> bool {
        self.about.fetch_or(TERM_SENT, SeqCst) & TERM_SENT == 0
    }

    /// Marks KILL as sent, at the end of the child's grace; returns whether no act had sent it
    /// before.
    pub(super) fn mark_kill_sent(&self) -> bool {
        self.about.fetch_or(KILL_SENT, SeqCst) & KILL_SENT == 0
    }

    /// Returns whether the program has asked it to end.
    pub(super) fn is_asked_to_end(&self) -> bool {
        self.about.load(SeqCst) & END_REQUESTED != 0
    }

    /// Returns the child, if its launch is over.
    #[cfg(feature = "reactor")]
    pub(super) fn running(&self) -> Option<Member> {
        match self.occupant() {
            Occupant::Child(child) if self.state.load(SeqCst) == RUNNING => Some(child),
            _ => None,
        }
    }

    /// Records that its group is stopped with the program.
    #[cfg(feature = "reactor")]
    pub(super) fn on_stopped(&self) {
        self.about.fetch_or(STOPPED, SeqCst);
    }

    /// Returns whether its group was stopped with the program and must now continue.
    #[cfg(feature = "reactor")]
    pub(super) fn take_stopped_mark(&self) -> bool {
        self.about.fetch_and(!STOPPED, SeqCst) & STOPPED != 0
    }

    /// Takes the place if it is free.
    fn claim(&self, entry: Entry) -> bool {
        if self.state.compare_exchange(FREE, STARTING, SeqCst, SeqCst).is_err() {
            return false;
        }
        self.pidfd.store(-1, SeqCst);
        let group = if entry.leads_group { LEADS_GROUP } else { 0 };
        self.about.store(u32::from(entry.grace_ms) | group, SeqCst);
        true
    }
}

impl TablePage {
    /// Returns the table of this process, if it has one.
    pub(super) fn own() -> Option<&'static Self> {
        page(TABLE.load(SeqCst)).filter(|table| table.is_own())
    }

    fn is_own(&self) -> bool {
        let owner = self.owner.load(SeqCst);
        let is_sure = || self.is_wiped_on_fork.load(SeqCst) != 0;
        owner != 0 && (is_sure() || owner == calls::own_pid())
    }

    /// Begins an act: no owned child starts from here on.
    pub(super) fn begin_act(&self) {
        self.dying.store(1, SeqCst);
        self.acting.fetch_add(1, SeqCst);
    }

    /// Begins a pass that ends no child: nothing is reaped before [`end_act`](Self::end_act).
    #[cfg(feature = "reactor")]
    pub(super) fn begin_pass(&self) {
        self.acting.fetch_add(1, SeqCst);
    }

    /// Ends an act or a pass, after which the process goes on.
    pub(super) fn end_act(&self) {
        self.acting.fetch_sub(1, SeqCst);
    }

    /// Waits until no act is under way; the handler's act never ends.
    fn wait_for_acts(&self) {
        while self.acting.load(SeqCst) > 0 {
            calls::pause(LOOK_AGAIN_MS);
        }
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
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: without an address and MAP_FIXED no existing mapping is touched.
    let start = unsafe { mmap_anonymous(ptr::null_mut(), PAGE_BYTES, access, MapFlags::PRIVATE)? };
    let is_wiped = wipe_on_fork(start);
    let new = start.cast::<TablePage>();
    if let Some(new) = page(new) {
        new.is_wiped_on_fork.store(i32::from(is_wiped), SeqCst);
        new.owner.store(calls::own_pid(), SeqCst);
    }
    let winner = match cell.compare_exchange(seen, new, SeqCst, SeqCst) {
        Ok(_) => new,
        Err(first) => {
            // SAFETY: the mapping made above, which was not published: no reference is left.
            let unmapped = unsafe { munmap(start, PAGE_BYTES) };
            unmapped.ok(); // if a filter refuses the call, it stays mapped
            first
        }
    };
    page(winner).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Makes the kernel zero a page in a forked copy. If it refuses (before Linux 4.14), or on other
/// systems, the owner's number must do.
#[cfg(target_os = "linux")]
fn wipe_on_fork(start: *mut c_void) -> bool {
    // SAFETY: the range is a mapping that `publish` has just made and not published.
    unsafe { madvise(start, PAGE_BYTES, Advice::LinuxWipeOnFork) }.is_ok()
}

/// Returns false: this system has no such call.
#[cfg(not(target_os = "linux"))]
fn wipe_on_fork(_: *mut c_void) -> bool {
    false
}

/// Reserves a place for a child that is about to start; its drop releases it.
///
/// # Errors
///
/// No memory; or the owned children of this process were ended, because the process ends.
pub(super) fn reserve(entry: Entry) -> io::Result<Place> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let seen = TABLE.load(SeqCst);
    let table = match page(seen).filter(|table| table.is_own()) {
        Some(table) => table,
        None => publish(&TABLE, seen)?,
    };
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
    if table.dying.load(SeqCst) != 0 {
        // First, or the act would wait for a child that never starts.
        slot.state.store(FREE, SeqCst);
        table.wait_for_acts();
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
    /// Null for a thread with a descriptor table of its own.
    pub(in crate::sys) pidfd: *mut c_int,
}

impl Place {
    /// Returns pointers to memory that is never freed, and that others access as atomics.
    #[cfg(target_os = "linux")]
    pub(in crate::sys) fn cells(&self, has_own_table: bool) -> Cells {
        let pidfd = if has_own_table { ptr::null_mut() } else { self.slot.pidfd.as_ptr() };
        Cells { pid: self.slot.pid.as_ptr(), pidfd }
    }

    /// Returns the number of this process.
    pub(super) fn owner(&self) -> c_int {
        self.table.owner.load(SeqCst)
    }

    /// Records the child, which exists now. Afterwards no descriptor but `pidfd` is used for it.
    pub(crate) fn settle(&self, pid: u32, pidfd: Option<BorrowedFd<'_>>) {
        let moved = pidfd.map_or(-1, |pidfd| pidfd.as_raw_fd());
        let before = self.slot.pidfd.swap(moved, SeqCst);
        self.slot.pid.store(pid.cast_signed(), SeqCst);
        self.slot.state.store(RUNNING, SeqCst);
        if before != moved && before != -1 {
            self.table.wait_for_acts();
        }
    }

    /// Records that the program asks the child to end, by a termination.
    #[cfg(feature = "reactor")]
    pub(crate) fn ask_to_end(&self) {
        self.slot.about.fetch_or(END_REQUESTED, SeqCst);
    }

    /// Prepares the reap of the child. The place of a leader with a pidfd stays, for its group.
    #[must_use = "dropping it gives the place back"]
    pub(crate) fn before_reap(self) -> Option<Self> {
        let leads_group = self.slot.about.load(SeqCst) & LEADS_GROUP != 0;
        let has_pidfd = cfg!(target_os = "linux") && self.slot.pidfd.load(SeqCst) >= 0;
        if !(leads_group && has_pidfd && self.table.is_own()) {
            return None;
        }
        self.slot.state.store(LEFT, SeqCst);
        self.table.wait_for_acts();
        Some(self)
    }

    /// Forgets the pidfd, which is about to be closed: from here on only the number is used.
    pub(crate) fn forget_pidfd(&self) {
        if self.table.is_own() {
            self.slot.pidfd.store(-1, SeqCst);
            self.table.wait_for_acts();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A forked copy has no place in the table.
        if !self.table.is_own() {
            return;
        }
        self.slot.pid.store(0, SeqCst);
        self.table.wait_for_acts();
        self.slot.state.store(FREE, SeqCst);
    }
}
