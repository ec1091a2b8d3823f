//! The signals that reactors watch. While nobody watches a signal, it has its previous effect.
//!
//! signal-hook's handler stays installed once a signal was watched, because other code in the
//! process may depend on it. So an action in that handler restores the previous effect. If the
//! disposition was the default, the action performs the default action. If the signal was ignored,
//! it does nothing. signal-hook itself calls a handler that was installed before.
//!
//! A signal sets the flag of each reactor that watches it, and wakes the reactor. The callbacks run
//! in the reactor's thread, with the calls of the next turn.

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

/// The watches of one signal in all reactors of the process.
struct ProcessWatches {
    watching: usize,
    /// The number of the program's own watches. Read in the signal handler.
    own: Arc<AtomicUsize>,
    /// The disposition before the signal was watched.
    before: Disposition,
    /// Read in the signal handler.
    unwatched: Arc<AtomicBool>,
}

static WATCHED: Mutex<BTreeMap<i32, ProcessWatches>> = Mutex::new(BTreeMap::new());

/// Begins a watch. `register` installs its action before the default action is switched off.
fn begin(signal: i32, register: impl FnOnce() -> io::Result<SigId>) -> io::Result<SigId> {
    let mut all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    let watched = match all.entry(signal) {
        btree_map::Entry::Occupied(entry) => entry.into_mut(),
        btree_map::Entry::Vacant(entry) => {
            let unwatched = Arc::new(AtomicBool::new(false));
            // Ask before the first registration, which replaces the disposition.
            let before = signals::disposition(signal)?;
            if before == Disposition::Default {
                signals::emulate(signal, Arc::clone(&unwatched))?;
            }
            entry.insert(ProcessWatches { watching: 0, own: Arc::default(), before, unwatched })
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

/// Ends a watch that [`begin`] began.
fn end(signal: i32, id: SigId) {
    let mut all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(watched) = all.get_mut(&signal) {
        watched.watching = watched.watching.saturating_sub(1);
        // Restore the old action first, then remove ours. A signal in between triggers both, not
        // neither.
        watched.unwatched.store(watched.watching == 0, SeqCst);
    }
    signal_hook::low_level::unregister(id);
}

/// Changes the number of the program's own watches of a signal.
fn count(signal: i32, change: impl Fn(usize) -> usize) {
    if let Some(own) = own_watches(signal) {
        own.fetch_update(SeqCst, SeqCst, |own| Some(change(own))).ok(); // it always changes
    }
}

/// Returns the number of the program's own watches, if the signal was ever watched.
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
    // If it was ever watched, the handler is ours. It stays and has the previous effect.
    let all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(all.get(&signal).map_or(found, |watched| watched.before))
}

/// Which watch comes first if a signal has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precedence {
    /// A watch of the program's own.
    OfProgram,
    /// Called in addition to the program's own watches.
    Beside,
    /// Not called while the program itself watches the signal.
    YieldsToProgram,
}

/// One watch of a signal, with a callback of type `C`.
pub(crate) struct Watcher<C> {
    pub(crate) signal: i32,
    precedence: Precedence,
    active: Cell<bool>,
    /// Its call is queued.
    pub(crate) due: Cell<bool>,
    /// `None` while it runs, and after its end.
    pub(crate) callback: WithCell<Option<C>>,
}

/// A signal that one reactor watches.
struct ReactorWatches<C> {
    id: SigId,
    delivered: Arc<AtomicBool>,
    watchers: Vec<Rc<Watcher<C>>>,
}

/// The signals that a reactor watches.
pub(crate) struct Signals<C> {
    own: BTreeMap<i32, ReactorWatches<C>>,
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
    /// Adds a watcher. The first watcher of a signal installs the action that sets `any` and wakes
    /// the loop.
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
                entry.insert(ReactorWatches { id, delivered, watchers: Vec::new() })
            }
        };
        own.watchers.push(Rc::clone(watcher));
        Ok(())
    }

    /// Takes the signals that have arrived, and returns the watchers to call.
    pub(crate) fn take_due(&mut self) -> Vec<Rc<Watcher<C>>> {
        let delivered = |own: &&ReactorWatches<C>| own.delivered.swap(false, SeqCst);
        let come = self.own.values().filter(delivered);
        let watchers = come.flat_map(|own| &own.watchers);
        watchers.filter(|watcher| !watcher.yields()).map(Rc::clone).collect()
    }

    /// Forgets a signal that has arrived and was not reported.
    pub(crate) fn forget(&self, signal: Signal) {
        if let Some(own) = self.own.get(&signal.as_raw()) {
            own.delivered.store(false, SeqCst);
        }
    }

    /// Returns the flag that says whether the signal has arrived since the loop last looked.
    pub(crate) fn delivered(&self, signal: i32) -> Option<Arc<AtomicBool>> {
        Some(Arc::clone(&self.own.get(&signal)?.delivered))
    }

    /// Removes a watcher. Returns what to [end](LastWatch::end) if it was the signal's last.
    pub(crate) fn remove(&mut self, watcher: &Rc<Watcher<C>>) -> Option<LastWatch> {
        let own = self.own.get_mut(&watcher.signal)?;
        own.watchers.retain(|other| !Rc::ptr_eq(other, watcher));
        if !own.watchers.is_empty() {
            return None;
        }
        let own = self.own.remove(&watcher.signal)?;
        Some(LastWatch { signal: watcher.signal, id: own.id })
    }

    /// Removes every watcher. Returns them and what to end.
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

/// The installed action of a signal that the reactor no longer watches.
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

    /// Counts the watcher, which is now in the table.
    pub(crate) fn on_added(&self) {
        self.count(|own| own + 1);
    }

    /// Ends the watcher. A second call does nothing.
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

    /// Returns whether another watch takes precedence now.
    pub(crate) fn yields(&self) -> bool {
        self.precedence == Precedence::YieldsToProgram && is_watched_by_program(self.signal)
    }
}
