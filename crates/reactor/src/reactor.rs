//! The reactor: how it is made, turned and dropped. `run` runs it.

use std::future::IntoFuture;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use polling::Poller;
use procession_core::Clock;

use crate::claims::ClaimSignals;
use crate::dropping;
use crate::handle::{Core, Handle, set_current, start_hooks};
use crate::readiness::Interest;
use crate::standard_fds;
use crate::store::shared::Shared;
use crate::store::sources::Key;
use crate::sys::polled::Polled;
use crate::sys::sigpipe;
use crate::turn::Loop;
use crate::wait::Wait;
use crate::wake::WakeSource;

/// An event loop, bound to the thread that makes it.
///
/// Only the reactor can wait. Callbacks receive a [`Handle`], which cannot. So waiting inside a
/// callback is a type error. The reactor has all methods of a handle, through `Deref`.
///
/// Dropping the reactor closes every descriptor that it owns and drops all calls and tasks, even if
/// handles still exist. The drop waits for what is still [ending](crate::driver::Outlasting)
/// outside the program, such as a child that was asked to terminate. It makes no callback for that.
///
/// # Examples
///
/// ```
/// use procession::{Reactor, Stopped};
/// use std::time::Duration;
///
/// let mut reactor = Reactor::new()?;
/// reactor.call_later(Duration::from_millis(1), |reactor| reactor.stop());
/// assert_eq!(reactor.run()?, Stopped::Called);
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it closes and ends what it owns"]
pub struct Reactor {
    pub(crate) handle: Handle,
    pub(crate) inner: Loop,
    pub(crate) claims: ClaimSignals,
    /// The thread's previous clock, restored on drop.
    previous_clock: PreviousClock,
}

struct PreviousClock(Option<Rc<dyn Clock>>);

impl std::fmt::Debug for PreviousClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PreviousClock")
    }
}

impl Reactor {
    /// Makes the reactor of this thread.
    ///
    /// Until it is dropped, it is [`Handle::current`] and the thread's
    /// [current clock](procession_core::Clock). Its own descriptors never have the numbers 0, 1 and
    /// 2, even if these are closed.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if the thread already has a reactor. Otherwise those of the system, which
    /// has no descriptors left.
    pub fn new() -> io::Result<Self> {
        Self::build(WakeSource::new, Wait::new)
    }

    /// Makes a reactor that waits as on a system without epoll.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[doc(hidden)]
    pub fn new_portable() -> io::Result<Self> {
        Self::build(WakeSource::portable, Wait::portable)
    }

    fn build(
        wake: impl FnOnce() -> io::Result<(WakeSource, crate::wake::WakeFd)>,
        wait: impl FnOnce() -> Wait,
    ) -> io::Result<Self> {
        if Handle::try_current().is_some() {
            let message = "this thread has a reactor already: `Handle::current()` is its handle";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        let occupied = standard_fds::occupy();
        let poller = Rc::new(Poller::new()?);
        let (source, fd) = wake()?;
        drop(occupied);
        let mode = source.mode();
        let wake = Polled::new(Rc::clone(&poller), mode, source);
        wake.set(Key::WAKE, Interest::READABLE)?;
        let core = Core::new(Rc::clone(&poller), Arc::new(Shared::new(fd)));
        let handle = Handle { core: Rc::new(core) };
        set_current(Some(handle.clone()));
        let previous_clock = PreviousClock(<dyn Clock>::set_current(Some(Rc::new(handle.clone()))));
        let inner = Loop::new(wait(), poller, wake);
        // From here on, if a hook panics, the reactor is dropped, which restores everything.
        let claims = ClaimSignals::OnMainThread;
        let reactor = Self { handle, inner, claims, previous_clock };
        start_hooks::call(&reactor.handle);
        Ok(reactor)
    }

    /// Has [`run`](Self::run) leave all signals alone.
    #[doc(alias = "installSignalHandlers")]
    pub fn without_signals(mut self) -> Self {
        self.claims = ClaimSignals::Never;
        self.handle.core.state.claims_signals.set(false);
        self
    }

    /// Has signals stop [`run`](Self::run) in any thread, not only in the main one.
    pub fn with_signals(mut self) -> Self {
        self.claims = ClaimSignals::Always;
        self.handle.core.state.claims_signals.set(true);
        self
    }

    /// Returns a handle to keep elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Turns once: waits, for at most `timeout`, and does what is due.
    ///
    /// `None` waits until something happens. `Duration::ZERO` does not wait. This is not
    /// [`run`](Self::run): it has no system events and claims no signals. A program that drives the
    /// reactor this way calls [`shut_down`](Self::shut_down) at the end.
    ///
    /// # Errors
    ///
    /// Errors of the system's wait. None is expected.
    #[doc(alias = "iterate")]
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let _entered = LoopScope::new(&self.handle);
        self.inner.turn(&self.handle, timeout)
    }

    /// Turns until the future is ready, and returns its output.
    ///
    /// This is not [`run`](Self::run): it has no system events and claims no signals.
    /// [`run_until`](Self::run_until) has both.
    ///
    /// # Panics
    ///
    /// If the system's wait fails, which is not expected.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Reactor;
    ///
    /// assert_eq!(Reactor::new()?.block_on(async { 6 * 7 }), 42);
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "inlineCallbacks")]
    pub fn block_on<F: IntoFuture>(&mut self, future: F) -> F::Output {
        let _entered = LoopScope::new(&self.handle);
        let turned = self.inner.turn_until(&self.handle, future.into_future(), |_| true);
        let output = turned.expect("waiting on an open epoll descriptor fails with EINTR only");
        output.expect("it goes on until the future is ready")
    }

    /// Returns when [`turn`](Self::turn) must be called even if the descriptor is not readable.
    ///
    /// A time in the past means now. `None` means to wait until the descriptor is readable. The
    /// time changes with every turn, and with calls from outside a turn, which make the descriptor
    /// readable.
    pub fn next_deadline(&self) -> Option<Instant> {
        let core = &self.handle.core;
        let first = core.calls.timers.with(|timers| timers.first());
        let next = if core.is_busy() { Some(self.handle.now()) } else { first };
        core.clock.instant(next?)
    }
}

impl Deref for Reactor {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

/// The descriptor is readable when [`Reactor::turn`] has something to do, except timers: see
/// [`Reactor::next_deadline`]. So another loop can host this one.
impl AsFd for Reactor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        if !self.handle.core.state.hosted.replace(true) && self.handle.core.is_busy() {
            self.handle.core.shared.write();
        }
        self.inner.poller().as_fd()
    }
}

impl AsRawFd for Reactor {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        let handle = self.handle.clone();
        let previous = self.previous_clock.0.take();
        dropping::reactor(&handle, move || {
            let own = <dyn Clock>::set_current(previous);
            drop(own);
            set_current(None);
        });
    }
}

/// Marks the thread as inside the loop, until dropped: the loop is awake, and SIGPIPE is blocked.
pub(crate) struct LoopScope<'a> {
    handle: &'a Handle,
    _sigpipe: Option<sigpipe::SigpipeBlocked>,
}

impl<'a> LoopScope<'a> {
    pub(crate) fn new(handle: &'a Handle) -> Self {
        handle.core.state.entered.set(true);
        handle.core.shared.set_awake();
        Self { handle, _sigpipe: sigpipe::block() }
    }
}

impl Drop for LoopScope<'_> {
    fn drop(&mut self) {
        let core = &self.handle.core;
        core.state.entered.set(false);
        core.shared.set_asleep();
        if core.state.hosted.get() && core.is_busy() {
            core.shared.write();
        }
    }
}
