//! The handle's methods for programs.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use procession_core::Signal;
use procession_core::driver::Patience;

use super::io::Io;
use super::register::{Registered, Registration};
use super::remote::Remote;
use super::signals::SignalWatch;
use super::timers::DelayedCall;
use super::triggers::{Trigger, TriggerResult};
use super::{Call, Handle};
use crate::readiness::{Interest, Readiness};
use crate::store::signals::Precedence;
use crate::store::tasks::JoinHandle;
use crate::store::triggers::{Phase, SystemEvent};

/// Calls.
impl Handle {
    /// Calls `call` in a turn that is at least `after` from now.
    ///
    /// Calls are made in the order of their times. Calls with the same time are made in the order
    /// of creation. The result is dropped. `Duration::ZERO` is the next turn. With `Duration::MAX`
    /// the call is never made.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Reactor;
    /// use std::time::Duration;
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
        self.call_with_patience(after, call, Patience::NONE)
    }

    /// Calls `call` when `after` has passed and the sources that were ready by then were handled.
    /// For a decision that something did not arrive in time.
    ///
    /// A loop may be late because a callback took long or the program was stopped. Then it finds
    /// ready descriptors together with the time that has passed, and handling these may take
    /// further turns. So `call` waits for a turn that finds nothing to do, for at most 32 turns, or
    /// until turns have taken an eighth of a second; the last of them may take longer.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Reactor;
    /// use std::time::Duration;
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
        self.call_with_patience(after, call, Patience::OF_A_LIMIT)
    }

    fn call_with_patience<R>(
        &self,
        after: Duration,
        call: impl FnOnce(&Self) -> R + 'static,
        patience: Patience,
    ) -> DelayedCall {
        self.add_call(after, Box::new(move |handle| drop(call(handle))), patience)
    }

    /// Does the same with a call of one type, so that a program has this code once.
    fn add_call(&self, after: Duration, call: Call, patience: Patience) -> DelayedCall {
        let at = self.now().saturating_add(after);
        let delayed = DelayedCall::new(self.clone(), at, call, patience);
        if self.core.state.closed.get() {
            delayed.cancel();
        }
        self.touch();
        delayed
    }

    /// Calls `call` in the next turn, or at the end of this one.
    ///
    /// Calls are made in their order. Calls that a call adds wait for the next turn.
    pub fn call_soon<R>(&self, call: impl FnOnce(&Self) -> R + 'static) {
        let call: Call = Box::new(move |handle| drop(call(handle)));
        if self.core.state.closed.get() {
            drop(call);
            return;
        }
        self.core.calls.soon.with(|soon| soon.push_back(call));
        self.touch();
    }

    /// Calls `call` once the reactor runs: in a later step of the loop if it already does,
    /// otherwise after the next startup. `turn` and `block_on` have no startup.
    #[doc(alias = "callWhenRunning")]
    pub fn call_when_running<R>(&self, call: impl FnOnce(&Self) -> R + 'static) {
        if self.is_running() {
            self.call_soon(call);
        } else {
            let call = move |handle: &Self| drop(call(handle));
            self.add_system_event_trigger(Phase::After, SystemEvent::Startup, call);
        }
    }

    /// Returns a value that other threads use to send calls to this reactor.
    pub fn remote(&self) -> Remote {
        Remote(self.core.shared.clone())
    }

    /// Runs a future on the reactor, in this thread.
    ///
    /// Its first poll is in the next turn. A panic in it unwinds out of `run`, `turn` or
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
}

/// Events.
impl Handle {
    /// Has `call` called once, at the next startup or shutdown (Twisted's `addSystemEventTrigger`).
    ///
    /// Triggers of one phase run in the order in which they were added, including those that they
    /// add to it. [`Reactor::run`](crate::Reactor::run), its related methods and
    /// [`Reactor::shut_down`](crate::Reactor::shut_down) have these events. `turn` and `block_on`
    /// have none.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Phase, Reactor, SystemEvent};
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.call_when_running(|reactor| reactor.stop());
    /// reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, |_| println!("bye"));
    /// reactor.run()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "addSystemEventTrigger")]
    pub fn add_system_event_trigger<R: TriggerResult>(
        &self,
        phase: Phase,
        event: SystemEvent,
        call: impl FnOnce(&Self) -> R + 'static,
    ) -> Trigger {
        Trigger::add(self, phase, event, call)
    }

    /// Calls `callback` in this thread whenever the process receives the signal.
    ///
    /// Signals that arrive faster than the loop turns are reported once. While any reactor of the
    /// process watches a signal, the signal does nothing else. Afterwards it has its previous
    /// effect again. A callback that panics ends its watch. While the program watches SIGHUP,
    /// SIGHUP does not stop [`Reactor::run`](crate::Reactor::run).
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
        SignalWatch::begin(self, signal, Precedence::OfProgram, callback)
    }

    /// Watches `source` and calls `callback` whenever it is ready.
    ///
    /// The reactor owns the source until [`Registered::close`] or [`Registration::close`] closes
    /// it. The source should be nonblocking. If the callback panics, the source is closed.
    ///
    /// # Errors
    ///
    /// The poller's errors (epoll refuses regular files with `EPERM`).
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Interest, Reactor};
    /// use std::io::{Read, Write};
    /// use std::os::unix::net::UnixStream;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let (socket, mut peer) = UnixStream::pair()?;
    /// socket.set_nonblocking(true)?;
    /// reactor.register(socket, Interest::READABLE, |socket, _readiness| {
    ///     let mut buffer = [0; 16];
    ///     let n = socket.read(&mut buffer).unwrap();
    ///     assert_eq!(&buffer[..n], b"hello");
    ///     socket.reactor().stop();
    /// })?;
    /// peer.write_all(b"hello")?;
    /// reactor.run()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "addReader")]
    #[doc(alias = "addWriter")]
    pub fn register<S: AsFd + 'static>(
        &self,
        source: S,
        interest: Interest,
        callback: impl FnMut(&mut Registered<'_, S>, Readiness) + 'static,
    ) -> io::Result<Registration> {
        Registration::new(self, source, interest, callback)
    }

    /// Returns the interface for authors of transports. Programs do not need it.
    #[inline]
    pub fn io(&self) -> Io<'_> {
        Io::new(self)
    }
}
