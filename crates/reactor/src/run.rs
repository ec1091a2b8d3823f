//! Runs a reactor: until it is stopped, until a future is ready, or as a whole program. Also the
//! shutdown that follows.

use std::future::{Future, IntoFuture};
use std::io;

use crate::claims::{ClaimSignals, SignalClaims};
use crate::ending;
use crate::handle::{Handle, Running};
use crate::reactor::{LoopScope, Reactor};
use crate::stopped::Stopped;
use crate::store::triggers::SystemEvent;

const WAIT_CANNOT_FAIL: &str = "waiting on an open epoll descriptor fails with EINTR only";

/// Runs a program on a new reactor. See [`Reactor::run_main`].
///
/// # Errors
///
/// The errors of [`Reactor::new`], and those of the future.
///
/// # Panics
///
/// As [`Reactor::run_until`].
///
/// # Examples
///
/// ```
/// use procession::Handle;
/// use std::process::Termination;
/// use std::time::Duration;
///
/// fn main() -> impl Termination {
///     procession::run_main(async {
///         Handle::current().sleep(Duration::from_millis(1)).await;
///         let text = std::fs::read_to_string("/proc/self/comm")?;
///         println!("{}", text.trim());
///         std::io::Result::Ok(())
///     })
/// }
/// ```
#[doc(alias = "react")]
pub fn run_main<F, E>(future: F) -> Result<Stopped, E>
where
    F: IntoFuture<Output = Result<(), E>>,
    E: From<io::Error>,
{
    Reactor::new()?.run_main(future)
}

impl Reactor {
    /// Runs the loop until [`Handle::stop`] or a signal stops it.
    ///
    /// `run` runs the startup triggers first and the shutdown triggers last. You can call it again.
    ///
    /// # Signals
    ///
    /// In the main thread SIGINT, SIGTERM and SIGHUP stop the reactor. Return the result of `run`
    /// from `main`, and the program dies by the signal, as shells expect. In other threads signals
    /// stop only a reactor made [`with_signals`](Self::with_signals). No signal stops a reactor
    /// made [`without_signals`](Self::without_signals).
    ///
    /// While shutdown triggers are pending, a second SIGINT or SIGTERM has its default action. If a
    /// callback keeps the loop from turning, a second one has its default action from 300 ms after
    /// the first. If a signal arrives after [`Handle::stop`] and before `run` returns, `run`
    /// returns that signal. If SIGINT is ignored when `run` begins, as in a background job of a
    /// script, it stays ignored. SIGTERM stops the reactor even if it is ignored.
    ///
    /// SIGHUP arrives when the terminal closes. It stops the reactor if it would end the program.
    /// So it does not under `nohup`, if the program has another handler for it, or while the
    /// program [watches](Handle::on_signal) it. A second SIGHUP does nothing until `run` returns,
    /// because a shell and the kernel send one each.
    ///
    /// # Ctrl-Z
    ///
    /// SIGTSTP stops a program until another process continues it. Like Ctrl-C, it does not reach
    /// the process groups of the children that the program owns. In the main thread, a run claims
    /// SIGTSTP if it would stop the program. Then the run stops those groups, then the program, by
    /// the signal's default action. When the program is continued, the groups are continued too.
    /// Meanwhile the clocks and timers of all reactors in the process stand still. None of this
    /// happens while the program [watches](Handle::on_signal) SIGTSTP, or if the reactor was made
    /// [`without_signals`](Self::without_signals).
    ///
    /// # Stopping early
    ///
    /// If the reactor is stopped while *before* triggers of the startup are pending, `run` does not
    /// wait for them. The later phases of the startup are left for the next run.
    ///
    /// A panic in a callback unwinds out of `run`, without shutdown triggers. The reactor can be
    /// run again afterwards. A server that must outlive its bugs calls `run` inside `catch_unwind`,
    /// in a loop. If [`Handle::stop`] or a signal came before the panic, the next `run` honours it
    /// first: it runs the startup triggers, then the shutdown triggers, and returns that reason.
    ///
    /// # Errors
    ///
    /// Errors of the system's wait. None is expected.
    pub fn run(&mut self) -> io::Result<Stopped> {
        let _entered = LoopScope::new(&self.handle);
        let run = RunScope::new(&self.handle);
        run.claim(self.claims)?;
        self.inner.fire(&self.handle, SystemEvent::Startup)?;
        while run.goes_on() {
            self.inner.turn(&self.handle, None)?;
        }
        self.inner.fire(&self.handle, SystemEvent::Shutdown)?;
        Ok(run.end())
    }

    /// Runs until the future is ready, or the reactor is stopped (Twisted's `task.react`).
    ///
    /// `run_until` is [`run`](Self::run) with a future. It runs the startup triggers, then polls
    /// the future, and stops the reactor when the future is ready. [`Handle::stop`] and the signals
    /// that stop `run` end it earlier. Then it drops the future, ends the process groups of the
    /// children that this reactor owns, and continues the shutdown when they are gone. In any case
    /// it waits for terminations that the future or its drop began, for their grace period and one
    /// second more. If a signal arrives when the future is already ready, `run_until` still returns
    /// the output.
    ///
    /// A panic in the future unwinds out of `run_until`, as a panic in a callback unwinds out of
    /// `run`.
    ///
    /// # Errors
    ///
    /// The reason why the reactor stopped before the future was ready.
    ///
    /// # Panics
    ///
    /// If the system's wait fails, which is not expected.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Handle, Reactor, Stopped};
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// assert_eq!(reactor.run_until(async { 6 * 7 }), Ok(42));
    /// reactor.call_later(Duration::from_millis(1), |reactor| reactor.stop());
    /// let slow = async { Handle::current().sleep(Duration::from_secs(60)).await };
    /// assert_eq!(reactor.run_until(slow), Err(Stopped::Called));
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "react")]
    pub fn run_until<F: IntoFuture>(&mut self, future: F) -> Result<F::Output, Stopped> {
        let (output, stopped) = self.run_to_the_end(future.into_future()).expect(WAIT_CANNOT_FAIL);
        output.ok_or(stopped)
    }

    /// Runs a program. The future does all the work, and the result of this method is the result of
    /// `main`.
    ///
    /// It is [`run_until`](Self::run_until) for a future whose output is `Result<(), E>`. If a
    /// signal stops the program, the program ends the children that it owns and then dies by that
    /// signal: [`Stopped`] does this as the result of `main`. If the future fails, Rust prints the
    /// error, as for any `main`, and the exit status is 1.
    ///
    /// The reactor is dropped when this method returns.
    ///
    /// # Errors
    ///
    /// The errors of the future.
    ///
    /// # Panics
    ///
    /// As [`run_until`](Self::run_until).
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Handle, Reactor, Stopped};
    /// use std::time::Duration;
    ///
    /// fn main() -> Result<Stopped, Box<dyn std::error::Error>> {
    ///     Reactor::new()?.run_main(async {
    ///         Handle::current().sleep(Duration::from_millis(1)).await;
    ///         let text = std::fs::read_to_string("/proc/self/comm")?;
    ///         println!("{}", text.trim());
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn run_main<F, E>(mut self, future: F) -> Result<Stopped, E>
    where
        F: IntoFuture<Output = Result<(), E>>,
    {
        let (output, stopped) = self.run_to_the_end(future.into_future()).expect(WAIT_CANNOT_FAIL);
        output.unwrap_or(Ok(())).map(|()| stopped)
    }

    /// Shuts down a reactor that is driven by [`turn`](Self::turn). Runs the shutdown triggers and
    /// closes what the transports have open, as [`run`](Self::run) does at its end.
    ///
    /// It turns the loop itself until the triggers of the first phase are finished. A loop that
    /// hosts this reactor stands still meanwhile. You can call it again, also after `run`: it then
    /// handles only the triggers and transports that are new since. It does not compile inside a
    /// callback, because nothing in a callback can wait:
    ///
    /// ```compile_fail,E0599
    /// # let reactor = procession::Reactor::new()?;
    /// reactor.call_soon(|reactor| reactor.shut_down());
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// While it runs, [`Handle::is_running`] returns true, and [`Handle::try_stop`] fails because
    /// the reactor is already stopping. A panic of a trigger unwinds out of it. The next call
    /// continues after that trigger.
    ///
    /// # Errors
    ///
    /// Errors of the system's wait. None is expected.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Phase, Reactor, SystemEvent};
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, |_| println!("bye"));
    /// reactor.turn(Some(Duration::ZERO))?; // the host's business
    /// reactor.shut_down()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "fireSystemEvent")]
    pub fn shut_down(&mut self) -> io::Result<()> {
        let _entered = LoopScope::new(&self.handle);
        let _shut_down = ShutDownScope::new(&self.handle);
        self.inner.fire(&self.handle, SystemEvent::Shutdown)
    }

    /// Runs the startup, the future and the shutdown. Returns the output, if the future became
    /// ready, and why the run ended.
    fn run_to_the_end<F: Future>(&mut self, future: F) -> io::Result<(Option<F::Output>, Stopped)> {
        let _entered = LoopScope::new(&self.handle);
        let run = RunScope::new(&self.handle);
        run.claim(self.claims)?;
        self.inner.fire(&self.handle, SystemEvent::Startup)?;
        let output = self.inner.turn_until(&self.handle, future, |_| run.goes_on())?;
        if run.goes_on() {
            self.handle.begin_stop(Stopped::Finished);
        }
        let why = self.handle.core.state.stopped.get();
        let why = if output.is_some() { Stopped::Finished } else { why };
        ending::end_owned(&self.handle, why);
        self.inner.fire(&self.handle, SystemEvent::Shutdown)?;
        Ok((output, run.end()))
    }
}

/// A `run` in progress. If a panic or an error drops it before [`end`](RunScope::end), it keeps the
/// stop request for the next run.
struct RunScope<'a> {
    handle: &'a Handle,
    claims: SignalClaims,
}

impl<'a> RunScope<'a> {
    fn new(handle: &'a Handle) -> Self {
        let core = &handle.core;
        let pending = core.state.pending_stop.take();
        core.state.running.set(if pending.is_some() { Running::Stopping } else { Running::Yes });
        core.state.stopped.set(pending.unwrap_or(Stopped::Called));
        Self { handle, claims: SignalClaims::default() }
    }

    fn claim(&self, claims: ClaimSignals) -> io::Result<()> {
        self.claims.begin(self.handle, claims)
    }

    fn goes_on(&self) -> bool {
        self.handle.core.state.running.get() == Running::Yes
    }

    /// Ends the run and returns why it stopped. Keeps no stop request.
    fn end(self) -> Stopped {
        let core = &self.handle.core;
        self.claims.end(self.handle);
        core.state.running.set(Running::No);
        core.state.stopped.get()
    }
}

impl Drop for RunScope<'_> {
    fn drop(&mut self) {
        let core = &self.handle.core;
        self.claims.end(self.handle);
        let was_stopping = core.state.running.replace(Running::No) == Running::Stopping;
        // A future that is ready does not stop the next run.
        if was_stopping && core.state.stopped.get() != Stopped::Finished {
            core.state.pending_stop.set(Some(core.state.stopped.get()));
        }
    }
}

/// A `shut_down` in progress.
struct ShutDownScope<'a>(&'a Handle);

impl<'a> ShutDownScope<'a> {
    fn new(handle: &'a Handle) -> Self {
        // This shutdown also serves a stop request that a panic left over.
        handle.core.state.pending_stop.set(None);
        handle.core.state.running.set(Running::Stopping);
        handle.core.state.stopped.set(Stopped::Called);
        Self(handle)
    }
}

impl Drop for ShutDownScope<'_> {
    fn drop(&mut self) {
        self.0.core.state.running.set(Running::No);
    }
}
