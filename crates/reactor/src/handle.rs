//! The handle, through which callbacks do everything but wait, and the state that it shares with
//! the reactor.
//!
//! Each cell here is borrowed for a statement or two, and never while foreign code runs: no
//! callback, no waker, and no drop of a foreign value.
//!
//! The methods are in `verbs`. Each guard that they return has its own module.

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

/// A call that the loop makes.
pub(crate) type Call = Box<dyn FnOnce(&Handle)>;

/// A call that another thread has sent.
pub(crate) type Job = Box<dyn FnOnce(&Handle) + Send>;

/// The callback of a signal watch.
pub(crate) type SignalCall = Box<dyn FnMut(&Handle)>;

/// Runs the trigger. The second argument is called when the trigger has finished.
pub(crate) type TriggerCall = Box<dyn FnOnce(&Handle, Box<dyn FnOnce()>)>;

/// A reactor as callbacks see it: cheap to clone, bound to the reactor's thread.
///
/// A handle does not keep the reactor alive. After the reactor is dropped, a handle drops the calls
/// and tasks that it is given, and refuses sources.
#[derive(Clone)]
pub struct Handle {
    pub(crate) core: Rc<Core>,
}

thread_local! {
    static CURRENT: WithCell<Option<Handle>> = const { WithCell::new(None) };
}

/// Makes `handle` the thread's current one. `None` leaves the thread without one.
pub(crate) fn set_current(handle: Option<Handle>) {
    // It fails in a thread that is ending, which has no current handle anyway.
    let old = CURRENT.try_with(|current| current.replace(handle));
    drop(old);
}

/// The message of [`Handle::current`] if the thread has no reactor.
const NO_REACTOR: &str = "this thread has no reactor: make one with `Reactor::new` first, and keep it \
                          while it is used; from another thread call it by a `Remote`; on tokio or \
                          another executor run programs by a `Background`";

impl Handle {
    /// Returns the reactor of this thread.
    ///
    /// # Panics
    ///
    /// If the thread has no reactor. It has one from [`Reactor::new`](crate::Reactor::new) until
    /// that is dropped. [`try_current`](Self::try_current) does not panic.
    #[track_caller]
    pub fn current() -> Self {
        Self::try_current().expect(NO_REACTOR)
    }

    /// Returns the reactor of this thread, if it has one.
    pub fn try_current() -> Option<Self> {
        CURRENT.try_with(|current| current.with(|handle| handle.clone())).ok().flatten()
    }

    /// Has [`Reactor::run`](crate::Reactor::run) return, after the shutdown triggers.
    ///
    /// Returns at once. Does nothing if the reactor does not run, or is already stopping.
    pub fn stop(&self) {
        // If the reactor does not run, nothing has to be stopped. `try_stop` reports it.
        self.try_stop().ok();
    }

    /// Has [`Reactor::run`](crate::Reactor::run) return, after the shutdown triggers.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] outside `run` (in `turn` and `block_on` too), and if the reactor is already
    /// stopping.
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

    /// Returns whether [`Reactor::run`](crate::Reactor::run) or a related method, or
    /// [`Reactor::shut_down`](crate::Reactor::shut_down), is running, including its triggers.
    #[doc(alias = "running")]
    pub fn is_running(&self) -> bool {
        self.core.state.running.get() != Running::No
    }

    /// Returns whether the reactor is gone or being dropped. Nothing new can start on it.
    pub fn is_closed(&self) -> bool {
        self.core.state.closed.get()
    }

    /// Returns the monotonic time since the reactor was made. It stands still, with all timers,
    /// while a [run](crate::Reactor::run) has stopped the program.
    #[doc(alias = "seconds")]
    #[inline]
    pub fn now(&self) -> Duration {
        self.core.clock.elapsed()
    }

    /// Makes the reactor's clock a fake one, for tests: nothing waits for time any more.
    ///
    /// The clock stands still while callbacks run. Where the loop would wait for a timer, it looks for
    /// events once, and if there are none, the clock goes to the time of the timer at once. The same holds
    /// for the limit of a [turn](crate::Reactor::turn). Without a timer and a limit, the loop waits for
    /// events as usual. There is no way back.
    ///
    /// Other processes and threads know nothing of this: a time limit on a real child passes at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Reactor;
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.use_fake_clock();
    /// let hour = Duration::from_secs(3600);
    /// let before = reactor.now();
    /// reactor.block_on(reactor.sleep(hour));
    /// assert_eq!(reactor.now() - before, hour);
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "pause")]
    #[doc(alias = "MemoryReactorClock")]
    pub fn use_fake_clock(&self) {
        self.core.clock.make_fake();
    }

    /// Wakes the loop that hosts this one, because work is due that its wait does not know of.
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

/// Receives the events of sources. One handler may have several sources, with different tokens.
///
/// The reactor keeps the handler as long as one of its sources is open, so its state must be
/// changeable through `&self`. No method is called while anything of the reactor is borrowed. So
/// each may call any method.
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
/// struct LastSeen(Cell<Option<u32>>);
///
/// impl EventHandler for LastSeen {
///     fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
///         self.0.set(Some(ready.token));
///         reactor.io().close(ready.key);
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// let (here, mut there) = UnixStream::pair()?;
/// let seen = Rc::new(LastSeen(Cell::new(None)));
/// let key = reactor.io().add_source(here.into(), Interest::READABLE, seen.clone(), 7)?;
/// there.write_all(b"x")?;
/// reactor.turn(None)?;
/// assert_eq!(seen.0.get(), Some(7));
/// assert!(!reactor.io().is_open(key));
/// # std::io::Result::Ok(())
/// ```
pub trait EventHandler {
    /// Called when the poller has reported an event of an open source.
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready);

    /// Called once for each [`Io::flush_later`](crate::driver::Io::flush_later): when the running
    /// callback returns to the loop, or before the next wait.
    fn flush(self: Rc<Self>, reactor: &Handle) {
        let _ = reactor;
    }
}

/// An event of a source.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Ready {
    /// The key of the source.
    pub key: Key,
    /// The number that [`Io::add_source`](crate::driver::Io::add_source) was given.
    pub token: u32,
    /// What the poller saw.
    pub readiness: Readiness,
}

/// The state that a reactor and its handles share.
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

/// The state of the reactor's descriptors.
pub(crate) struct IoTables {
    /// `None` once the reactor is gone, although handles still exist.
    pub(crate) poller: WithCell<Option<Rc<Poller>>>,
    pub(crate) sources: WithCell<Sources<dyn EventHandler>>,
    /// The handlers that have asked for a flush.
    pub(crate) dirty: WithCell<VecDeque<Rc<dyn EventHandler>>>,
    pub(crate) buffers: WithCell<Buffers>,
    pub(crate) anticipation: Anticipation,
}

/// The calls that the loop will make.
pub(crate) struct Calls {
    pub(crate) timers: WithCell<Timers<Call>>,
    pub(crate) soon: WithCell<VecDeque<Call>>,
}

/// The phase of the reactor, and the options that it was made with.
pub(crate) struct LoopState {
    pub(crate) running: Cell<Running>,
    /// Why the reactor stops. Read when `running` is `Stopping`.
    pub(crate) stopped: Cell<Stopped>,
    /// A stop request that a panic or an error cut short. The next run honours it first.
    pub(crate) pending_stop: Cell<Option<Stopped>>,
    /// Inside `turn`, `run` or `block_on`.
    pub(crate) entered: Cell<bool>,
    /// Another loop waits on the reactor's descriptor, so calls from outside a turn must wake it.
    pub(crate) hosted: Cell<bool>,
    /// The `Reactor` is gone or being dropped.
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

    /// Returns whether something is to be done without waiting, whatever the timers say.
    #[inline]
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

/// Which process made the reactor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MadeIn {
    /// The process with this id, which need no longer be this one.
    Process(u32),
    /// This process.
    Here,
    /// The process that this one is a forked copy of.
    Original,
}

impl MadeIn {
    /// Compares the id with this process. A known answer stays.
    pub(crate) fn compared(self) -> Self {
        match self {
            Self::Process(pid) if pid == std::process::id() => Self::Here,
            Self::Process(_) => Self::Original,
            known => known,
        }
    }
}

/// The phase of a `run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Running {
    No,
    Yes,
    /// The reactor was asked to stop. The shutdown triggers run, or will run next.
    Stopping,
}
