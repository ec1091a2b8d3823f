//! The table of owned children: those who start and reap them, beside an act.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use loom::thread;

use crate::Model;
use crate::member::Member;
use crate::slot::{Acts, Entry, Occupant, PlaceSlot};
use crate::sync::{AtomicBool, AtomicI32, AtomicU32};

pub(super) const MODELS: &[Model] = &[
    Model { part: "table", claim: "an act sees a child that starts beside it", run: start },
    Model { part: "table", claim: "no act uses the number of a reaped child", run: reap },
    Model { part: "table", claim: "a group that its leader left has only its pidfd", run: leave },
];

const PID: u32 = 7;
const PIDFD: i32 = 3;

/// A place, the acts, and whether the child is reaped: then its number may be another process's.
struct Table {
    slot: PlaceSlot,
    acts: Acts,
    is_reaped: AtomicBool,
}

impl Table {
    fn new() -> Arc<Self> {
        let number = || AtomicI32::new(0);
        let slot =
            PlaceSlot { state: number(), pid: number(), pidfd: number(), about: AtomicU32::new(0) };
        let acts = Acts { dying: number(), acting: number() };
        Arc::new(Self { slot, acts, is_reaped: AtomicBool::new(false) })
    }

    /// Starts a child as a launch does; returns whether it did.
    fn start(&self) -> bool {
        if !self.slot.claim(Entry { leads_group: true, grace_ms: 1 })
            || self.slot.gives_up(&self.acts)
        {
            return false;
        }
        // The kernel writes both numbers during the clone.
        self.slot.pidfd.store(PIDFD, SeqCst);
        self.slot.pid.store(PID.cast_signed(), SeqCst);
        self.slot.settle(PID, PIDFD, &self.acts);
        true
    }

    /// Looks until no clone is under way, as an act does, and returns what it found.
    fn look(&self) -> Option<Member> {
        loop {
            match self.slot.occupant() {
                Occupant::Child(child) => return Some(child),
                Occupant::Nobody => return None,
                Occupant::Starting => thread::yield_now(),
            }
        }
    }
}

fn start() {
    let table = Table::new();
    let spawner = Arc::clone(&table);
    let spawner = thread::spawn(move || spawner.start());
    table.acts.begin();
    let seen = table.look();
    table.acts.end();
    assert_eq!(seen.map(|child| child.pid), spawner.join().unwrap().then_some(PID.cast_signed()));
}

fn reap() {
    let table = Table::new();
    assert!(table.start());
    let reaper = Arc::clone(&table);
    let reaper = thread::spawn(move || {
        reaper.slot.release(&reaper.acts);
        reaper.is_reaped.store(true, SeqCst);
    });
    table.acts.begin();
    if table.look().is_some() {
        assert!(!table.is_reaped.load(SeqCst), "a stranger may be hit");
    }
    table.acts.end();
    reaper.join().unwrap();
}

fn leave() {
    let table = Table::new();
    assert!(table.start());
    let reaper = Arc::clone(&table);
    let reaper = thread::spawn(move || {
        reaper.slot.leave(&reaper.acts);
        reaper.is_reaped.store(true, SeqCst);
    });
    table.acts.begin();
    let child = table.look().expect("the group has its place");
    assert!(child.is_left || !table.is_reaped.load(SeqCst), "a stranger may be hit");
    assert_eq!(child.pidfd, PIDFD);
    table.acts.end();
    reaper.join().unwrap();
}
