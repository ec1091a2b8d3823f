//! Signals: watched by reactors, and doing what they did before while nobody watches.
//!
//! signal-hook's handler stays installed once a signal was watched, for others in the process may
//! depend on it. So what the signal did before is done by an action that runs in the handler:
//! the default action where it was the default, nothing where it was ignored; a handler that was
//! there is called by signal-hook in any case.
//!
//! A signal sets the flag of each reactor that watches it and wakes it; the callbacks run in the
//! reactor's thread, with the calls of the next turn.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use procession_core::Signal;
use procession_core::driver::WithCell;
use signal_hook::SigId;

use crate::sys::signals::{self, Disposition};
use crate::wake::WakeFd;

/// Of the process: who watches a signal, in all reactors.
struct Watched {
    watching: usize,
    /// How many watches of the program's own there are. Read in the signal handler.
    own: Arc<AtomicUsize>,
    /// What it did before it was watched.
    before: Disposition,
    /// Read in the signal handler.
    unwatched: Arc<AtomicBool>,
}

static WATCHED: Mutex<BTreeMap<i32, Watched>> = Mutex::new(BTreeMap::new());

/// Begins to watch; `register` installs what is to happen, before the default action ends.
fn begin(signal: i32, register: impl FnOnce() -> io::Result<SigId>) -> io::Result<SigId> {
    let mut all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    let watched = match all.entry(signal) {
        btree_map::Entry::Occupied(entry) => entry.into_mut(),
        btree_map::Entry::Vacant(entry) => {
            let unwatched = Arc::new(AtomicBool::new(false));
            // Before the first registration, which replaces it.
            let before = signals::disposition(signal)?;
            if before == Disposition::Default {
                signals::emulate(signal, Arc::clone(&unwatched))?;
            }
            entry.insert(Watched { watching: 0, own: Arc::default(), before, unwatched })
        }
    };
    let registered = register();
    if registered.is_ok() {
        watched.watching += 1;
        watched.unwatched.store(false, SeqCst);
    } else if watched.watching == 0 {
        watched.unwatched.store(true, SeqCst);
    }
    registered
}

/// Ends what [`begin`] began.
fn end(signal: i32, id: SigId) {
    let mut all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(watched) = all.get_mut(&signal) {
        watched.watching = watched.watching.saturating_sub(1);
        // First the old action, then no longer ours: a signal in between does both, not neither.
        watched.unwatched.store(watched.watching == 0, SeqCst);
    }
    signal_hook::low_level::unregister(id);
}

/// A watch of the program's own begins, or ends.
fn count(signal: i32, change: impl Fn(usize) -> usize) {
    if let Some(own) = own_watches(signal) {
        own.fetch_update(SeqCst, SeqCst, |own| Some(change(own))).ok(); // it always changes
    }
}

/// How many watches of the program's own there are for a signal that was ever watched.
pub(crate) fn own_watches(signal: i32) -> Option<Arc<AtomicUsize>> {
    let all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    all.get(&signal).map(|watched| Arc::clone(&watched.own))
}

/// Returns whether the program itself watches the signal, in any of its reactors.
fn is_watched_by_program(signal: i32) -> bool {
    own_watches(signal).is_some_and(|own| own.load(SeqCst) > 0)
}

/// Returns what a signal does while nobody watches it.
pub(crate) fn unwatched_action(signal: Signal) -> io::Result<Disposition> {
    let signal = signal.as_raw();
    let found = signals::disposition(signal)?;
    if found != Disposition::Handler {
        return Ok(found);
    }
    // Ours, if it was ever watched: it stays, and does what it found.
    let all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(all.get(&signal).map_or(found, |watched| watched.before))
}

/// Who comes first where several watch one signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precedence {
    /// A watch of the program's own.
    OfProgram,
    /// It is called beside those.
    Beside,
    /// It is not called while the program watches the signal itself.
    YieldsToProgram,
}

/// One watch of a signal, which calls a `C`.
pub(crate) struct Watcher<C> {
    pub(crate) signal: i32,
    precedence: Precedence,
    active: Cell<bool>,
    /// Its call is queued.
    pub(crate) due: Cell<bool>,
    /// `None` while it runs, and once it is over.
    pub(crate) callback: WithCell<Option<C>>,
}

/// Of a reactor: a signal that it watches.
struct WatchedHere<C> {
    id: SigId,
    delivered: Arc<AtomicBool>,
    watchers: Vec<Rc<Watcher<C>>>,
}

/// The signals that a reactor watches.
pub(crate) struct Signals<C> {
    own: BTreeMap<i32, WatchedHere<C>>,
}

impl<C> Default for Signals<C> {
    fn default() -> Self {
        Self { own: BTreeMap::new() }
    }
}

impl<C> fmt::Debug for Signals<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.own.keys()).finish()
    }
}

impl<C> Signals<C> {
    /// Adds a watcher; the first one of a signal installs what sets `any` and wakes the loop.
    pub(crate) fn add(
        &mut self,
        watcher: &Rc<Watcher<C>>,
        any: Arc<AtomicBool>,
        wake: Arc<WakeFd>,
    ) -> io::Result<()> {
        let signal = watcher.signal;
        let own = match self.own.entry(signal) {
            btree_map::Entry::Occupied(entry) => entry.into_mut(),
            btree_map::Entry::Vacant(entry) => {
                let delivered = Arc::<AtomicBool>::default();
                let flag = Arc::clone(&delivered);
                let id = begin(signal, || signals::watch(signal, flag, any, wake))?;
                entry.insert(WatchedHere { id, delivered, watchers: Vec::new() })
            }
        };
        own.watchers.push(Rc::clone(watcher));
        Ok(())
    }

    /// Takes note of the signals that have come, and returns those to be called.
    pub(crate) fn take_due(&mut self) -> Vec<Rc<Watcher<C>>> {
        let delivered = |own: &&WatchedHere<C>| own.delivered.swap(false, SeqCst);
        let come = self.own.values().filter(delivered);
        let watchers = come.flat_map(|own| &own.watchers);
        watchers.filter(|watcher| !watcher.yields()).map(Rc::clone).collect()
    }

    /// What has come of the signal, and was not told, is not told any more.
    pub(crate) fn forget(&self, signal: Signal) {
        if let Some(own) = self.own.get(&signal.as_raw()) {
            own.delivered.store(false, SeqCst);
        }
    }

    /// Says whether the signal has come since the loop last looked.
    pub(crate) fn delivered(&self, signal: i32) -> Option<Arc<AtomicBool>> {
        Some(Arc::clone(&self.own.get(&signal)?.delivered))
    }

    /// Removes a watcher; the last one of a signal leaves what is to be [ended](LastWatch::end).
    pub(crate) fn remove(&mut self, watcher: &Rc<Watcher<C>>) -> Option<LastWatch> {
        let own = self.own.get_mut(&watcher.signal)?;
        own.watchers.retain(|other| !Rc::ptr_eq(other, watcher));
        if !own.watchers.is_empty() {
            return None;
        }
        let own = self.own.remove(&watcher.signal)?;
        Some(LastWatch { signal: watcher.signal, id: own.id })
    }

    /// Removes every watcher, with what is to be ended.
    pub(crate) fn remove_all(&mut self) -> (Vec<Rc<Watcher<C>>>, Vec<LastWatch>) {
        let mut watchers = Vec::new();
        let mut last = Vec::new();
        for (signal, own) in std::mem::take(&mut self.own) {
            last.push(LastWatch { signal, id: own.id });
            watchers.extend(own.watchers);
        }
        (watchers, last)
    }
}

/// What a reactor had installed for a signal that it watches no more.
#[must_use]
pub(crate) struct LastWatch {
    signal: i32,
    id: SigId,
}

impl LastWatch {
    pub(crate) fn end(self) {
        end(self.signal, self.id);
    }
}

impl<C> Watcher<C> {
    pub(crate) fn new(signal: i32, precedence: Precedence, callback: C) -> Self {
        Self {
            signal,
            precedence,
            active: Cell::new(true),
            due: Cell::new(false),
            callback: WithCell::new(Some(callback)),
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active.get()
    }

    /// It is in the table.
    pub(crate) fn on_added(&self) {
        self.count(|own| own + 1);
    }

    /// It is over; twice is harmless.
    pub(crate) fn on_ended(&self) {
        if self.active.replace(false) {
            self.count(|own| own.saturating_sub(1));
        }
    }

    fn count(&self, change: impl Fn(usize) -> usize) {
        if self.precedence == Precedence::OfProgram {
            count(self.signal, change);
        }
    }

    /// Returns whether it is somebody else's turn, now.
    pub(crate) fn yields(&self) -> bool {
        self.precedence == Precedence::YieldsToProgram && is_watched_by_program(self.signal)
    }
}
