//! The handle, which is all that callbacks need of a reactor, except waiting; and what it shares with
//! the reactor.
//!
//! Every cell here is borrowed for a statement or two, never while foreign code runs: no callback,
//! no waker, and no drop of a foreign value.
//!
//! What a handle can do stands in `verbs`, and the guards that its verbs give in a module each.

mod deferring;
pub(crate) mod ends;
mod every;
mod futures;
pub(crate) mod io;
pub(crate) mod register;
pub(crate) mod remote;
pub(crate) mod signals;
pub(crate) mod sleep;
pub(crate) mod start_hooks;
pub(crate) mod timers;
pub(crate) mod triggers;
mod verbs;

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use polling::Poller;
use procession_core::driver::WithCell;
use procession_core::{Clock, Timer};

use crate::clock::ReactorClock;
use crate::errors::NotRunning;
use crate::readiness::Readiness;
use crate::stopped::Stopped;
use crate::store::anticipation::Anticipation;
use crate::store::buffers::Buffers;
use crate::store::ends::EndList;
use crate::store::shared::Shared;
use crate::store::signals::Signals;
use crate::store::sources::{Key, Sources};
use crate::store::tasks::Tasks;
use crate::store::timers::Timers;
use crate::store::triggers::Triggers;

/// A call of the loop.
pub(crate) type Call = Box<dyn FnOnce(&Handle)>;

/// A call from another thread.
pub(crate) type Job = Box<dyn FnOnce(&Handle) + Send>;

/// What a signal has called.
pub(crate) type SignalCall = Box<dyn FnMut(&Handle)>;

/// Calls the trigger; the second is called when it is through.
pub(crate) type TriggerCall = Box<dyn FnOnce(&Handle, Box<dyn FnOnce()>)>;

/// A reactor, as callbacks see it: cheap to clone, bound to the reactor's thread.
///
/// It does not keep the reactor alive. Once the reactor was dropped, calls and tasks that are
/// handed to it are dropped, and sources are refused.
#[derive(Clone)]
pub struct Handle {
    pub(crate) core: Rc<Core>,
}

thread_local! {
    static CURRENT: WithCell<Option<Handle>> = const { WithCell::new(None) };
}

/// Makes it the thread's current one, or, with `None`, leaves the thread without.
pub(crate) fn set_current(handle: Option<Handle>) {
    // In a thread that ends there is no current one anyway.
    let old = CURRENT.try_with(|current| current.replace(handle));
    drop(old);
}

/// What [`Handle::current`] says where there is none.
const NO_REACTOR: &str = "this thread has no reactor: make one with `Reactor::new` first, and keep it \
                          while it is used; from another thread call it by a `Remote`";

impl Handle {
    /// The reactor of this thread.
    ///
    /// # Panics
    ///
    /// If the thread has none: it has one from [`Reactor::new`](crate::Reactor::new) until that is
    /// dropped. [`try_current`](Self::try_current) does not panic.
    #[track_caller]
    pub fn current() -> Self {
        Self::try_current().expect(NO_REACTOR)
    }

    /// The reactor of this thread, if it has one.
    pub fn try_current() -> Option<Self> {
        CURRENT.try_with(|current| current.with(|handle| handle.clone())).ok().flatten()
    }

    /// Has [`Reactor::run`](crate::Reactor::run) return, after the shutdown triggers.
    ///
    /// Returns at once; nothing happens if the reactor does not run, or is stopping already.
    pub fn stop(&self) {
        // Not running is what was wanted; `try_stop` tells.
        self.try_stop().ok();
    }

    /// Has [`Reactor::run`](crate::Reactor::run) return, after the shutdown triggers.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] outside of `run` (in `turn` and `block_on` too), and when it is stopping
    /// already.
    pub fn try_stop(&self) -> Result<(), NotRunning> {
        if self.core.state.running.get() != Running::Yes {
            return Err(NotRunning);
        }
        self.begin_stop(Stopped::Called);
        Ok(())
    }

    pub(crate) fn begin_stop(&self, stopped: Stopped) {
        self.core.state.running.set(Running::Stopping);
        self.core.state.stopped.set(stopped);
        self.core.shared.wake();
    }

    /// Tells whether [`Reactor::run`](crate::Reactor::run), one of its relatives, or
    /// [`Reactor::shut_down`](crate::Reactor::shut_down) is at work, triggers included.
    #[doc(alias = "running")]
    pub fn is_running(&self) -> bool {
        self.core.state.running.get() != Running::No
    }

    /// Tells whether the reactor is being dropped, or gone: nothing can be begun on it any more.
    pub fn is_closed(&self) -> bool {
        self.core.state.closed.get()
    }

    /// The time since the reactor was made: monotonic. It stands still, as every timer does, while a
    /// [run](crate::Reactor::run) has stopped the program.
    #[doc(alias = "seconds")]
    pub fn now(&self) -> Duration {
        self.core.clock.elapsed()
    }

    /// Something is due that the next wait does not know of: tells the loop that hosts ours.
    #[inline]
    pub(crate) fn touch(&self) {
        if self.core.state.hosted.get() && !self.core.state.entered.get() {
            self.core.shared.write();
        }
    }
}

impl Clock for Handle {
    fn elapsed(&self) -> Duration {
        self.now()
    }

    fn schedule(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Timer {
        let delayed = self.call_later(delay, move |_| call());
        Timer::new(move || delayed.cancel())
    }

    fn schedule_deadline(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Timer {
        let delayed = self.call_at_deadline(delay, move |_| call());
        Timer::new(move || delayed.cancel())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

/// What is told about sources; one handler may have several, told apart by their tokens.
///
/// The reactor holds it as long as one of its sources is open, so its state lives behind `&self`.
/// No method is called while anything of the reactor is borrowed: each may call whatever it likes.
///
/// # Examples
///
/// ```
/// use procession::driver::reactor::{EventHandler, Ready};
/// use procession::{Handle, Interest, Reactor};
/// use std::cell::Cell;
/// use std::io::Write;
/// use std::os::unix::net::UnixStream;
/// use std::rc::Rc;
///
/// struct Seen(Cell<Option<u32>>);
///
/// impl EventHandler for Seen {
///     fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
///         self.0.set(Some(ready.token));
///         reactor.io().close(ready.key);
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// let (here, mut there) = UnixStream::pair()?;
/// let seen = Rc::new(Seen(Cell::new(None)));
/// let key = reactor.io().add_source(here.into(), Interest::READABLE, seen.clone(), 7)?;
/// there.write_all(b"x")?;
/// reactor.turn(None)?;
/// assert_eq!(seen.0.get(), Some(7));
/// assert!(!reactor.io().is_open(key));
/// # std::io::Result::Ok(())
/// ```
pub trait EventHandler {
    /// Called when the poller has seen something of a source; never for one that is closed.
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready);

    /// Asked for with [`Io::flush_later`](crate::driver::Io::flush_later): called once, when the running callback returns to
    /// the loop, or before the next wait.
    fn flush(self: Rc<Self>, reactor: &Handle) {
        let _ = reactor;
    }
}

/// An event of a source.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Ready {
    /// The source.
    pub key: Key,
    /// The number that was given to [`Io::add_source`](crate::driver::Io::add_source).
    pub token: u32,
    /// What was seen.
    pub readiness: Readiness,
}

/// What a reactor and its handles share.
pub(crate) struct Core {
    pub(crate) io: IoTables,
    pub(crate) calls: Calls,
    pub(crate) tasks: Tasks<Job>,
    pub(crate) shared: Arc<Shared<Job>>,
    pub(crate) signals: WithCell<Signals<SignalCall>>,
    pub(crate) triggers: WithCell<Triggers<TriggerCall>>,
    pub(crate) ends: WithCell<EndList>,
    pub(crate) clock: ReactorClock,
    pub(crate) state: LoopState,
}

/// Descriptors, and what is done to them.
pub(crate) struct IoTables {
    /// `None` once the reactor is gone, although handles live on.
    pub(crate) poller: WithCell<Option<Rc<Poller>>>,
    pub(crate) sources: WithCell<Sources<dyn EventHandler>>,
    /// Who asked to be flushed.
    pub(crate) dirty: WithCell<VecDeque<Rc<dyn EventHandler>>>,
    pub(crate) buffers: WithCell<Buffers>,
    pub(crate) anticipation: Anticipation,
}

/// What is to be called.
pub(crate) struct Calls {
    pub(crate) timers: WithCell<Timers<Call>>,
    pub(crate) soon: WithCell<VecDeque<Call>>,
}

/// How far the reactor is, and what it was made for.
pub(crate) struct LoopState {
    pub(crate) running: Cell<Running>,
    /// Why it stops; read when `running` is `Stopping`.
    pub(crate) stopped: Cell<Stopped>,
    /// A stop request that a panic or an error cut short; the next run honours it first.
    pub(crate) pending_stop: Cell<Option<Stopped>>,
    /// Inside `turn`, `run` or `block_on`.
    pub(crate) entered: Cell<bool>,
    /// Somebody waits on our descriptor in another loop: calls from outside of a turn must wake it.
    pub(crate) hosted: Cell<bool>,
    /// The `Reactor` is being dropped, or gone.
    pub(crate) closed: Cell<bool>,
    pub(crate) made_in: Cell<MadeIn>,
    /// The reactor was not made `without_signals`.
    pub(crate) claims_signals: Cell<bool>,
}

impl Core {
    pub(crate) fn new(poller: Rc<Poller>, shared: Arc<Shared<Job>>) -> Self {
        Self {
            io: IoTables {
                poller: WithCell::new(Some(poller)),
                sources: WithCell::new(Sources::default()),
                dirty: WithCell::new(VecDeque::new()),
                buffers: WithCell::new(Buffers::new()),
                anticipation: Anticipation::default(),
            },
            calls: Calls {
                timers: WithCell::new(Timers::default()),
                soon: WithCell::new(VecDeque::new()),
            },
            tasks: Tasks::new(Arc::clone(&shared)),
            shared,
            signals: WithCell::new(Signals::default()),
            triggers: WithCell::new(Triggers::default()),
            ends: WithCell::new(EndList::default()),
            clock: ReactorClock::new(),
            state: LoopState {
                running: Cell::new(Running::No),
                stopped: Cell::new(Stopped::Called),
                pending_stop: Cell::new(None),
                entered: Cell::new(false),
                hosted: Cell::new(false),
                closed: Cell::new(false),
                made_in: Cell::new(MadeIn::Process(std::process::id())),
                claims_signals: Cell::new(true),
            },
        }
    }

    /// Something is to be done without waiting, whatever the timers say.
    pub(crate) fn is_busy(&self) -> bool {
        !self.calls.soon.with(|soon| soon.is_empty())
            || !self.io.dirty.with(|dirty| dirty.is_empty())
            || self.shared.has_work()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("running", &self.state.running.get())
            .field("sources", &self.io.sources.with(|sources| sources.len()))
            .field("timers", &self.calls.timers.with(|timers| timers.len()))
            .field("tasks", &self.tasks.len())
            .field("closed", &self.state.closed.get())
            .finish_non_exhaustive()
    }
}

/// Which process has made the reactor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MadeIn {
    /// The process of this number, which may be another one by now.
    Process(u32),
    /// This process.
    Here,
    /// The one that this is a forked copy of.
    Original,
}

impl MadeIn {
    /// Compares with this process. What was compared once stays as it is.
    pub(crate) fn look(self) -> Self {
        match self {
            Self::Process(pid) if pid == std::process::id() => Self::Here,
            Self::Process(_) => Self::Original,
            known => known,
        }
    }
}

/// How far a `run` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Running {
    No,
    Yes,
    /// Told to stop; the shutdown triggers are about to run, or run.
    Stopping,
}
