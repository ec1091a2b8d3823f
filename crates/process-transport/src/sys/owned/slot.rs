//! One place of the table, and the count of the acts that look at it: the protocol, without the memory.
//! The module's page has it as a table. `conformance/loom` runs this file in every order.

use std::ffi::c_int;
use std::sync::atomic::Ordering::SeqCst;

use super::calls;
use super::member::Member;
use super::sync::{AtomicI32, AtomicU32};

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

/// The pause of a remover between two checks for running acts.
const LOOK_AGAIN_MS: c_int = 1;

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
    pub(super) state: AtomicI32,
    /// 0 if there is no child or it is about to be reaped; the group's number if the leader has
    /// left it.
    pub(super) pid: AtomicI32,
    /// Valid while `pid` is not 0; -1 if there is no pidfd.
    pub(super) pidfd: AtomicI32,
    pub(super) about: AtomicU32,
}

/// The acts of a process. Zeros mean that there was none.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Acts {
    /// An act has begun, perhaps some time ago.
    pub(super) dying: AtomicI32,
    /// How many acts are under way.
    pub(super) acting: AtomicI32,
}

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
    pub(super) fn claim(&self, entry: Entry) -> bool {
        if self.state.compare_exchange(FREE, STARTING, SeqCst, SeqCst).is_err() {
            return false;
        }
        self.pidfd.store(-1, SeqCst);
        let group = if entry.leads_group { LEADS_GROUP } else { 0 };
        self.about.store(u32::from(entry.grace_ms) | group, SeqCst);
        true
    }

    /// Gives the place back if an act has begun; returns whether it has.
    pub(super) fn gives_up(&self, acts: &Acts) -> bool {
        if acts.dying.load(SeqCst) == 0 {
            return false;
        }
        // First, or the act would wait for a child that never starts.
        self.state.store(FREE, SeqCst);
        acts.wait();
        true
    }

    /// Records the child, which exists now. Afterwards no descriptor but `pidfd` is used for it; -1 if
    /// it has none.
    pub(super) fn settle(&self, pid: u32, pidfd: c_int, acts: &Acts) {
        let before = self.pidfd.swap(pidfd, SeqCst);
        self.pid.store(pid.cast_signed(), SeqCst);
        self.state.store(RUNNING, SeqCst);
        if before != pidfd && before != -1 {
            acts.wait();
        }
    }

    pub(super) fn leads_group(&self) -> bool {
        self.about.load(SeqCst) & LEADS_GROUP != 0
    }

    /// Records that the program asks the child to end, by a termination.
    #[cfg(feature = "reactor")]
    pub(super) fn ask_to_end(&self) {
        self.about.fetch_or(END_REQUESTED, SeqCst);
    }

    /// Leaves the place to the group, before the leader is reaped.
    pub(super) fn leave(&self, acts: &Acts) {
        self.state.store(LEFT, SeqCst);
        acts.wait();
    }

    /// Forgets the pidfd, before it is closed.
    pub(super) fn forget_pidfd(&self, acts: &Acts) {
        self.pidfd.store(-1, SeqCst);
        acts.wait();
    }

    /// Gives the place back, before the child is reaped.
    pub(super) fn release(&self, acts: &Acts) {
        self.pid.store(0, SeqCst);
        acts.wait();
        self.state.store(FREE, SeqCst);
    }
}

impl Acts {
    /// Begins an act: no owned child starts from here on.
    pub(super) fn begin(&self) {
        self.dying.store(1, SeqCst);
        self.acting.fetch_add(1, SeqCst);
    }

    /// Begins a pass that ends no child: nothing is reaped before [`end`](Self::end).
    #[cfg(feature = "reactor")]
    pub(super) fn begin_pass(&self) {
        self.acting.fetch_add(1, SeqCst);
    }

    /// Ends an act or a pass, after which the process goes on.
    pub(super) fn end(&self) {
        self.acting.fetch_sub(1, SeqCst);
    }

    /// Waits until no act is under way; the handler's act never ends.
    pub(super) fn wait(&self) {
        while self.acting.load(SeqCst) > 0 {
            calls::pause(LOOK_AGAIN_MS);
        }
    }
}
