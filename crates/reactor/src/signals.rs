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
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use procession_core::Signal;
use procession_core::driver::WithCell;
use signal_hook::SigId;

use crate::handle::Handle;
use crate::sys::signals::{self, Disposition};

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

type Callback = Box<dyn FnMut(&Handle)>;

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

struct Watcher {
    signal: i32,
    precedence: Precedence,
    active: Cell<bool>,
    /// Its call is queued.
    due: Cell<bool>,
    /// `None` while it runs, and once it is over.
    callback: WithCell<Option<Callback>>,
}

/// Of a reactor: a signal that it watches.
struct Own {
    id: SigId,
    delivered: Arc<AtomicBool>,
    watchers: Vec<Rc<Watcher>>,
}

/// The signals that a reactor watches.
#[derive(Default)]
pub(crate) struct Signals {
    own: BTreeMap<i32, Own>,
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.own.keys()).finish()
    }
}

/// Signals that cannot be watched, or not with sense: their cause would come again at once.
const UNWATCHABLE: [Signal; 5] =
    [Signal::KILL, Signal::STOP, Signal::ILL, Signal::FPE, Signal::SEGV];

impl Handle {
    /// Calls `callback` in this thread whenever the process gets the signal.
    ///
    /// Signals that come faster than the loop turns are reported once. While anybody in the
    /// process watches a signal it does nothing else; afterwards it does again what it did before.
    /// A callback that panics ends its watch. While the program watches SIGHUP, that does not stop
    /// [`Reactor::run`](crate::Reactor::run).
    ///
    /// # Errors
    ///
    /// `EINVAL` for a signal that does not exist or cannot be watched: KILL, STOP, ILL, FPE, SEGV.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Reactor, Signal};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let watch = reactor.on_signal(Signal::WINCH, |_| println!("resized"))?;
    /// drop(watch); // ends it
    /// # std::io::Result::Ok(())
    /// ```
    pub fn on_signal(
        &self,
        signal: Signal,
        callback: impl FnMut(&Self) + 'static,
    ) -> io::Result<SignalWatch> {
        self.watch_signal(signal, Precedence::OfProgram, callback)
    }

    pub(crate) fn watch_signal(
        &self,
        signal: Signal,
        precedence: Precedence,
        callback: impl FnMut(&Self) + 'static,
    ) -> io::Result<SignalWatch> {
        if UNWATCHABLE.contains(&signal) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let Some(wake) = self.core.shared.wake_fd() else { return Err(crate::core::gone()) };
        let signal = signal.as_raw();
        let watcher = Rc::new(Watcher {
            signal,
            precedence,
            active: Cell::new(true),
            due: Cell::new(false),
            callback: WithCell::new(Some(Box::new(callback))),
        });
        let any = self.core.shared.signalled();
        self.core.signals.with(|signals| {
            let own = match signals.own.entry(signal) {
                btree_map::Entry::Occupied(entry) => entry.into_mut(),
                btree_map::Entry::Vacant(entry) => {
                    let delivered = Arc::<AtomicBool>::default();
                    let flag = Arc::clone(&delivered);
                    let id = begin(signal, || signals::watch(signal, flag, any, wake))?;
                    entry.insert(Own { id, delivered, watchers: Vec::new() })
                }
            };
            own.watchers.push(Rc::clone(&watcher));
            io::Result::Ok(())
        })?;
        watcher.count(|own| own + 1);
        Ok(SignalWatch { watcher, handle: self.clone() })
    }

    /// Queues the callbacks of the signals that have come.
    pub(crate) fn queue_signals(&self) {
        let due: Vec<Rc<Watcher>> = self.core.signals.with(|signals| {
            let delivered = |own: &&Own| own.delivered.swap(false, SeqCst);
            let come = signals.own.values().filter(delivered);
            let watchers = come.flat_map(|own| &own.watchers);
            watchers.filter(|watcher| !watcher.yields()).map(Rc::clone).collect()
        });
        for watcher in due {
            watcher.due.set(true);
            self.call_soon(move |handle| watcher.call(handle));
        }
    }

    /// What has come of the signal, and was not told, is not told any more.
    pub(crate) fn forget_signal(&self, signal: Signal) {
        self.core.signals.with(|signals| {
            if let Some(own) = signals.own.get(&signal.as_raw()) {
                own.delivered.store(false, SeqCst);
            }
        });
    }

    /// The reactor is being dropped.
    pub(crate) fn end_signals(&self) {
        let own = self.core.signals.with(|signals| std::mem::take(&mut signals.own));
        for (signal, own) in own {
            end(signal, own.id);
            for watcher in own.watchers {
                watcher.active.set(false);
                watcher.count(|own| own.saturating_sub(1));
                let callback = watcher.callback.take();
                drop(callback);
            }
        }
    }

    /// Twice is harmless.
    fn end_watch(&self, watcher: &Rc<Watcher>) {
        let signal = watcher.signal;
        if watcher.active.replace(false) {
            watcher.count(|own| own.saturating_sub(1));
        }
        let last = self.core.signals.with(|signals| {
            let own = signals.own.get_mut(&signal)?;
            own.watchers.retain(|other| !Rc::ptr_eq(other, watcher));
            if own.watchers.is_empty() { signals.own.remove(&signal) } else { None }
        });
        if let Some(own) = last {
            end(signal, own.id);
        }
        let callback = watcher.callback.take();
        drop(callback);
    }
}

impl Watcher {
    fn count(&self, change: impl Fn(usize) -> usize) {
        if self.precedence == Precedence::OfProgram {
            count(self.signal, change);
        }
    }

    /// Returns whether it is somebody else's turn, now.
    fn yields(&self) -> bool {
        self.precedence == Precedence::YieldsToProgram && is_watched_by_program(self.signal)
    }

    fn call(self: &Rc<Self>, handle: &Handle) {
        self.due.set(false);
        if !self.active.get() {
            return;
        }
        let Some(mut callback) = self.callback.take() else { return };
        let result = catch_unwind(AssertUnwindSafe(|| callback(handle)));
        match result {
            Ok(()) if self.active.get() => {
                let none = self.callback.replace(Some(callback));
                drop(none);
            }
            Ok(()) => drop(callback),
            Err(panic) => {
                handle.end_watch(self);
                // The first panic is the one that is reported.
                catch_unwind(AssertUnwindSafe(move || drop(callback))).ok();
                resume_unwind(panic);
            }
        }
    }
}

/// A watch on a signal; dropping it ends the watch.
#[must_use = "the watch ends when this is dropped"]
pub struct SignalWatch {
    watcher: Rc<Watcher>,
    handle: Handle,
}

impl SignalWatch {
    /// The signal that is watched.
    pub fn signal(&self) -> Signal {
        Signal::from_raw(self.watcher.signal)
    }

    /// Ends the watch, and tells whether its signal has come without the callback having run.
    pub(crate) fn end(self) -> bool {
        let watcher = Rc::clone(&self.watcher);
        let yields = watcher.yields();
        let delivered = self.handle.core.signals.with(|signals| {
            let own = signals.own.get(&watcher.signal)?;
            Some(Arc::clone(&own.delivered))
        });
        drop(self);
        // Asked last: a signal from here on does what it did before the watch, so none is missed.
        let delivered = delivered.is_some_and(|delivered| delivered.load(SeqCst));
        watcher.due.get() || (delivered && !yields)
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.handle.end_watch(&self.watcher);
    }
}

impl fmt::Debug for SignalWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalWatch").field("signal", &self.watcher.signal).finish_non_exhaustive()
    }
}
