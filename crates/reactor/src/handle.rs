//! The handle: all that callbacks need of a reactor, except waiting.

use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use procession_core::{Clock, Timer, WithCell};

use crate::core::{Call, Core, Made, NotRunning, Running};
use crate::remote::Remote;
use crate::stopped::Stopped;
use crate::tasks::JoinHandle;
use crate::timers::DelayedCall;
use crate::triggers::{Phase, SystemEvent};

/// A reactor, as callbacks see it: cheap to clone, bound to the reactor's thread.
///
/// It does not keep the reactor alive. Once the reactor was dropped, calls and tasks that are
/// handed to it are dropped, and sources are refused.
#[derive(Clone)]
pub struct Handle {
    pub(crate) core: Rc<Core>,
}

/// How many turns that have something to do a judgement waits for: what a program has written, its end
/// of file and its exit take three, and a full pipe of the largest size eight more.
const PATIENCE: u8 = 32;

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

    /// Calls `call` in a turn that is `after` from now or later, never earlier.
    ///
    /// Calls are made in the order of their times, ties in the order of creation; the result is
    /// dropped. `Duration::ZERO` is the next turn, `Duration::MAX` is never.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use procession_reactor::Reactor;
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.call_later(Duration::from_millis(5), |reactor| reactor.stop());
    /// reactor.run()?;
    /// assert!(reactor.now() >= Duration::from_millis(5));
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "callLater")]
    #[doc(alias = "set_timeout")]
    pub fn call_later<R>(
        &self,
        after: Duration,
        call: impl FnOnce(&Self) -> R + 'static,
    ) -> DelayedCall {
        self.call_with_patience(after, call, 0)
    }

    /// Calls `call` when `after` has passed, and what was ready by then was dealt with: for the judgement
    /// that something has not come in time.
    ///
    /// A loop that is late, because a callback took long or the program was stopped, finds descriptors
    /// ready beside the time that has passed, and what follows from these in further turns. So `call`
    /// waits for a turn that finds nothing to do, for 32 turns at most.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use procession_reactor::Reactor;
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.call_at_deadline(Duration::ZERO, |reactor| reactor.stop());
    /// reactor.run()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn call_at_deadline<R>(
        &self,
        after: Duration,
        call: impl FnOnce(&Self) -> R + 'static,
    ) -> DelayedCall {
        self.call_with_patience(after, call, PATIENCE)
    }

    fn call_with_patience<R>(
        &self,
        after: Duration,
        call: impl FnOnce(&Self) -> R + 'static,
        patience: u8,
    ) -> DelayedCall {
        let call: Call = Box::new(move |handle| drop(call(handle)));
        let at = self.now().saturating_add(after);
        let delayed = DelayedCall::new(self.clone(), at, call, patience);
        if self.core.closed.get() {
            delayed.cancel();
        }
        self.touch();
        delayed
    }

    /// Calls `call` in the next turn, or at the end of this one.
    ///
    /// Calls are made in their order; what a call adds waits for the turn after.
    pub fn call_soon<R>(&self, call: impl FnOnce(&Self) -> R + 'static) {
        let call: Call = Box::new(move |handle| drop(call(handle)));
        if self.core.closed.get() {
            drop(call);
            return;
        }
        self.core.soon.with(|soon| soon.push_back(call));
        self.touch();
    }

    /// Calls `call` once the reactor runs: in a later step of the loop if it does, else after the next
    /// startup. `turn` and `block_on` have no startup.
    #[doc(alias = "callWhenRunning")]
    pub fn call_when_running<R>(&self, call: impl FnOnce(&Self) -> R + 'static) {
        if self.is_running() {
            self.call_soon(call);
        } else {
            let call = move |handle: &Self| drop(call(handle));
            self.add_system_event_trigger(Phase::After, SystemEvent::Startup, call);
        }
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
        if self.core.running.get() != Running::Yes {
            return Err(NotRunning);
        }
        self.begin_stop(Stopped::Called);
        Ok(())
    }

    pub(crate) fn begin_stop(&self, stopped: Stopped) {
        self.core.running.set(Running::Stopping);
        self.core.stopped.set(stopped);
        self.core.shared.wake();
    }

    /// Tells whether a signal has stopped the last run: the program is about to end. For authors of
    /// transports, whose children then have a moment to end in.
    pub fn is_ended_by_signal(&self) -> bool {
        matches!(self.core.stopped.get(), Stopped::Signal(_))
    }

    /// Tells whether [`Reactor::run`](crate::Reactor::run), one of its relatives, or
    /// [`Reactor::shut_down`](crate::Reactor::shut_down) is at work, triggers included.
    #[doc(alias = "running")]
    pub fn is_running(&self) -> bool {
        self.core.running.get() != Running::No
    }

    /// Tells whether the reactor is being dropped, or gone: nothing can be begun on it any more.
    pub fn is_closed(&self) -> bool {
        self.core.closed.get()
    }

    /// Tells whether this process is a forked copy of the one that made the reactor: what is dropped
    /// here is to do nothing to what the loop has there. For authors of transports.
    pub fn is_inherited(&self) -> bool {
        self.core.made.get().look() == Made::Elsewhere
    }

    /// Returns whether signals may be the reactor's business: unless it was made
    /// [`without_signals`](crate::Reactor::without_signals).
    pub fn claims_signals(&self) -> bool {
        self.core.claims_signals.get()
    }

    /// The way in for other threads.
    pub fn remote(&self) -> Remote {
        Remote(self.core.shared.clone())
    }

    /// Runs a future on the reactor, in this thread.
    ///
    /// It is first polled in the next turn. A panic in it unwinds out of `run`, `turn` or
    /// `block_on`, and ends the task.
    #[doc(alias = "inlineCallbacks")]
    #[doc(alias = "ensureDeferred")]
    #[doc(alias = "spawn")]
    pub fn spawn_local<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> JoinHandle<T> {
        let task = self.core.tasks.spawn(future);
        self.touch();
        task
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
        if self.core.hosted.get() && !self.core.entered.get() {
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
