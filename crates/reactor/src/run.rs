//! What a reactor is run for: until it is told to stop, until a future is ready, or as a whole
//! program; and what is done when it stops.

use std::future::{Future, IntoFuture};
use std::io;

use crate::claims::{ClaimSignals, SignalClaims};
use crate::ending;
use crate::handle::{Handle, Running};
use crate::reactor::{Entered, Reactor};
use crate::stopped::Stopped;
use crate::store::triggers::SystemEvent;

const TURNS: &str = "waiting on an open epoll descriptor fails with EINTR only";

/// Runs a program on a new reactor: [`Reactor::run_main`].
///
/// # Errors
///
/// Those of [`Reactor::new`], and of the future.
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
    /// Runs the startup triggers first and the shutdown triggers last. It can be run again.
    ///
    /// # Signals
    ///
    /// In the main thread SIGINT, SIGTERM and SIGHUP stop it. Return what `run` returns from `main`,
    /// and the program dies by the signal, as the shell expects it. In other threads signals stop a
    /// reactor that was made [`with_signals`](Self::with_signals), and in no thread one that was made
    /// [`without_signals`](Self::without_signals).
    ///
    /// A second SIGINT or SIGTERM, while shutdown triggers are pending, acts by default; also, 300 ms or
    /// more after the first, while a callback keeps the loop from turning. One that
    /// comes after [`Handle::stop`], until `run` returns, is what it returns. Where SIGINT is ignored
    /// when `run` begins, as in a background job of a script, it stays ignored; SIGTERM stops it even
    /// then.
    ///
    /// SIGHUP, which comes when the terminal is closed, stops it where it would end the program: not
    /// under `nohup`, not where it has another handler, and not while the program
    /// [watches](Handle::on_signal) it. A second one does nothing until `run` returns, for a shell
    /// and the kernel send one each.
    ///
    /// # Ctrl-Z
    ///
    /// SIGTSTP stops a program until somebody continues it. Like Ctrl-C it does not reach the groups of
    /// children that the program owns. In the main thread a run claims it, if it would stop the program:
    /// those groups stop, then the program, by the signal's default action; when the program is continued
    /// they go on. Meanwhile the clocks of all reactors of the process stand still, and so do all timers.
    /// None of this happens while the program [watches](Handle::on_signal) SIGTSTP, or
    /// [`without_signals`](Self::without_signals).
    ///
    /// # Stopping early
    ///
    /// Told to stop while *before* triggers of the startup are pending, it does not wait for them;
    /// the later phases of the startup are left for the next run.
    ///
    /// A panic in a callback unwinds out of `run`, without shutdown triggers; it can be run again
    /// then, too: in a server that is to outlive its bugs, `catch_unwind` around `run`, in a loop. If
    /// [`Handle::stop`] or a signal came before the panic, the next `run` honours it first: it runs the
    /// startup triggers, then the shutdown triggers, and returns that reason.
    ///
    /// # Errors
    ///
    /// Those of the system's wait, which has no reason to fail.
    pub fn run(&mut self) -> io::Result<Stopped> {
        let _entered = Entered::new(&self.handle);
        let run = Run::new(&self.handle);
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
    /// This is [`run`](Self::run) with something to do: the startup triggers come first, then the
    /// future is polled, and when it is ready the reactor stops. [`Handle::stop`] and the signals that
    /// stop `run` end it earlier: the future is dropped, the groups of children that this reactor owns
    /// are ended, and when they are gone the rest of the shutdown follows. In any case it waits for
    /// terminations that the future began, by its drop too, for their grace and a second. A signal that
    /// comes when the future is ready already does not take its output away.
    ///
    /// A panic in the future unwinds out of `run_until`, as one in a callback out of `run`.
    ///
    /// # Errors
    ///
    /// Why it was stopped before the future was ready.
    ///
    /// # Panics
    ///
    /// If the system's wait fails, which it has no reason to.
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
        let (output, stopped) = self.run_to_the_end(future.into_future()).expect(TURNS);
        output.ok_or(stopped)
    }

    /// Runs a program: the future is all that it does, and what this returns is the result of `main`.
    ///
    /// It is [`run_until`](Self::run_until) for a future whose output is `()` or an error. If
    /// a signal stops the program, it ends what it has begun, and then dies by that signal: [`Stopped`]
    /// does so as the result of `main`. If the future fails, Rust prints the error, as for any `main`, and
    /// the status is 1.
    ///
    /// The reactor is dropped when this returns.
    ///
    /// # Errors
    ///
    /// Those of the future.
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
        let (output, stopped) = self.run_to_the_end(future.into_future()).expect(TURNS);
        output.unwrap_or(Ok(())).map(|()| stopped)
    }

    /// Does what [`run`](Self::run) does at its end, for a reactor that is driven by
    /// [`turn`](Self::turn): runs the shutdown triggers, and ends what ends when a reactor stops.
    ///
    /// It turns by itself until the triggers of the first phase are through; a loop that hosts this
    /// one stands still meanwhile. What was told or closed is over then: a second call, or one after
    /// `run`, does it for what has begun since. Inside a callback it does not compile, as no wait does:
    ///
    /// ```compile_fail,E0599
    /// # let reactor = procession::Reactor::new()?;
    /// reactor.call_soon(|reactor| reactor.shut_down());
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// While it is at work [`Handle::is_running`] says so, and [`Handle::try_stop`] that it is told
    /// already. A panic of a trigger unwinds out of it; the next call goes on behind that trigger.
    ///
    /// # Errors
    ///
    /// Those of the system's wait, which has no reason to fail.
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
        let _entered = Entered::new(&self.handle);
        let _shut_down = ShutDown::new(&self.handle);
        self.inner.fire(&self.handle, SystemEvent::Shutdown)
    }

    /// What the future gave, if it came so far, and why it was the end.
    fn run_to_the_end<F: Future>(&mut self, future: F) -> io::Result<(Option<F::Output>, Stopped)> {
        let _entered = Entered::new(&self.handle);
        let run = Run::new(&self.handle);
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

/// In `run`. Dropped before its [`end`](Run::end), by a panic or an error, it keeps for the next
/// run what this one was told.
struct Run<'a> {
    handle: &'a Handle,
    claims: SignalClaims,
}

impl<'a> Run<'a> {
    fn new(handle: &'a Handle) -> Self {
        let core = &handle.core;
        let told = core.state.pending_stop.take();
        core.state.running.set(if told.is_some() { Running::Stopping } else { Running::Yes });
        core.state.stopped.set(told.unwrap_or(Stopped::Called));
        Self { handle, claims: SignalClaims::default() }
    }

    fn claim(&self, claims: ClaimSignals) -> io::Result<()> {
        self.claims.begin(self.handle, claims)
    }

    fn goes_on(&self) -> bool {
        self.handle.core.state.running.get() == Running::Yes
    }

    /// Why it has stopped; nothing is kept.
    fn end(self) -> Stopped {
        let core = &self.handle.core;
        self.claims.end(self.handle);
        core.state.running.set(Running::No);
        core.state.stopped.get()
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let core = &self.handle.core;
        self.claims.end(self.handle);
        let was_stopping = core.state.running.replace(Running::No) == Running::Stopping;
        // The end of one future is no reason to stop the next run.
        if was_stopping && core.state.stopped.get() != Stopped::Finished {
            core.state.pending_stop.set(Some(core.state.stopped.get()));
        }
    }
}

/// In `shut_down`.
struct ShutDown<'a>(&'a Handle);

impl<'a> ShutDown<'a> {
    fn new(handle: &'a Handle) -> Self {
        // What a run that panicked was told is done now.
        handle.core.state.pending_stop.set(None);
        handle.core.state.running.set(Running::Stopping);
        handle.core.state.stopped.set(Stopped::Called);
        Self(handle)
    }
}

impl Drop for ShutDown<'_> {
    fn drop(&mut self) {
        self.0.core.state.running.set(Running::No);
    }
}
