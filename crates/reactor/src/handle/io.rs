//! The reactor's interface for transports: sources by key, flushes, and the end of the loop.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::{Rc, Weak};

use polling::Poller;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ends::EndWatch;
use super::start_hooks;
use super::{EventHandler, Handle, MadeIn, Ready};
use crate::errors::gone;
use crate::pipe::OpenError;
use crate::readiness::{Interest, Readiness};
use crate::stopped::Stopped;
use crate::store::ends::OnEnd;
use crate::store::sources::{Key, SharedSource, Source, SourceEntry};
use crate::sys::polled::PolledFd;
use crate::sys::signals::{self, ProgramHooks};

/// The reactor's interface for transports. See [`Handle::io`].
#[derive(Clone, Copy)]
pub struct Io<'a> {
    reactor: &'a Handle,
}

impl<'a> Io<'a> {
    #[inline]
    pub(super) fn new(reactor: &'a Handle) -> Self {
        Self { reactor }
    }
}

impl Io<'_> {
    /// Gives a descriptor to the reactor, which is its sole owner from now on.
    ///
    /// `handler` receives its events under `token`. The descriptor should be nonblocking.
    ///
    /// # Errors
    ///
    /// The poller's errors (epoll refuses regular files with `EPERM`), and `NotConnected` if the
    /// reactor is gone. [`OpenError`] gives the descriptor back, except if the reactor is gone.
    pub fn add_source(
        self,
        fd: OwnedFd,
        interest: Interest,
        handler: Rc<dyn EventHandler>,
        token: u32,
    ) -> Result<Key, OpenError> {
        self.add(fd, interest, handler, token).map_err(|(error, _handler)| error)
    }

    /// Does the same, and gives the handler back too.
    pub(crate) fn add(
        self,
        fd: OwnedFd,
        interest: Interest,
        handler: Rc<dyn EventHandler>,
        token: u32,
    ) -> Result<Key, (OpenError, Rc<dyn EventHandler>)> {
        let poller = match self.poller() {
            Ok(poller) => poller,
            Err(gone) => return Err((gone.into(), handler)),
        };
        let io = PolledFd::new(poller, fd);
        let added = self.reactor.core.io.sources.with(|sources| {
            let key = sources.next_key();
            match key.and_then(|key| io.set(key.pack(), interest).map(|()| key)) {
                Ok(key) => {
                    sources.put(key, SourceEntry { io: Source::Owned(io), handler }, token);
                    Ok(key)
                }
                Err(error) => Err((error, io, handler)),
            }
        });
        added.map_err(|(error, mut io, handler)| (OpenError { error, fd: io.release() }, handler))
    }

    pub(crate) fn poller(self) -> io::Result<Rc<Poller>> {
        if self.reactor.core.state.closed.get() {
            return Err(gone());
        }
        self.reactor.core.io.poller.with(|poller| poller.clone()).ok_or_else(gone)
    }

    /// Inserts a shared source, whose events have the token 0.
    pub(crate) fn insert(
        self,
        io: SharedSource,
        interest: Interest,
        handler: Rc<dyn EventHandler>,
    ) -> io::Result<Key> {
        // Take the key first, then register: a source's `as_fd` may be foreign code, so nothing may
        // be borrowed meanwhile.
        let entry = SourceEntry { io: Source::Shared(Box::new(io)), handler };
        let key = self.reactor.core.io.sources.with(|sources| {
            let key = sources.next_key()?;
            sources.put(key, entry, 0);
            io::Result::Ok(key)
        })?;
        if let Err(error) = self.set_interest(key, interest) {
            self.close(key);
            return Err(error);
        }
        Ok(key)
    }

    /// Announces that an event of a source is likely within some 20 µs.
    ///
    /// The loop then polls for one for about that long before its next sleep, because sleeping and
    /// waking takes about as long. After repeated wrong announcements it trusts only one in 64.
    pub fn expect_soon(self) {
        self.reactor.core.io.anticipation.on_expected();
    }

    /// Yields the processor once, for code that a moment brings further. Does nothing if the last yields
    /// took long, except once in 64 times.
    pub fn yield_briefly(self) {
        self.reactor.core.io.anticipation.yield_briefly(|| self.reactor.now());
    }

    /// Closes the source now. Its events that are still in the batch are dropped. Returns false if
    /// it was already closed.
    ///
    /// The source may be lent at this moment, to [`with_fd`](Self::with_fd) or to its own callback.
    /// Then it leaves the poller now, and is closed or dropped when it is given back.
    pub fn close(self, key: Key) -> bool {
        let Some(entry) = self.reactor.core.io.sources.with(|sources| sources.remove(key)) else {
            return false;
        };
        entry.io.leave();
        drop(entry); // where nothing is borrowed
        true
    }

    /// Takes the descriptor out of the reactor and removes the source. `None` if there is no such
    /// source.
    ///
    /// If the source was [registered](Handle::register), or is lent at this moment, this returns a
    /// duplicate. `None` if no descriptor is left for the duplicate.
    pub fn take_fd(self, key: Key) -> Option<OwnedFd> {
        let entry = self.reactor.core.io.sources.with(|sources| sources.remove(key))?;
        let SourceEntry { mut io, handler } = entry;
        let fd = io.release();
        drop(handler);
        fd
    }

    /// Changes what the source is watched for.
    ///
    /// # Errors
    ///
    /// The poller's errors. `NotConnected` if the source is closed.
    pub fn set_interest(self, key: Key, interest: Interest) -> io::Result<()> {
        let set = self.reactor.core.io.sources.with(|sources| match &mut sources.get(key)?.io {
            Source::Owned(io) => Some(Ok(io.set(key.pack(), interest))),
            Source::Shared(io) => Some(Err(SharedSource::clone(io))),
        });
        match set {
            Some(Ok(set)) => set,
            Some(Err(shared)) => shared.set(key, interest),
            None => Err(io::Error::new(io::ErrorKind::NotConnected, "the source is closed")),
        }
    }

    /// Returns whether the source is open.
    pub fn is_open(self, key: Key) -> bool {
        self.reactor.core.io.sources.with(|sources| sources.get(key).is_some())
    }

    /// Lends the descriptor to `call`. `None` if the source is closed.
    ///
    /// Nothing is borrowed meanwhile. The descriptor stays open until `call` returns, even if
    /// `call` closes the source.
    pub fn with_fd<R>(self, key: Key, call: impl FnOnce(BorrowedFd<'_>) -> R) -> Option<R> {
        let io = self.reactor.core.io.sources.with(|sources| Some(sources.get(key)?.io.lend()))?;
        Some(call(io.fd()))
    }

    /// Lends the descriptor of a transport to system calls. `None` if the source is closed or was
    /// registered.
    ///
    /// It costs less than [`with_fd`](Self::with_fd), which makes the source a shared one.
    ///
    /// # Panics
    ///
    /// Panics if `call` uses a source of this reactor.
    #[inline]
    pub fn with_owned<R>(self, key: Key, call: impl FnOnce(BorrowedFd<'_>) -> R) -> Option<R> {
        self.reactor.core.io.sources.with(|sources| match &sources.get(key)?.io {
            Source::Owned(io) => Some(call(io.fd())),
            Source::Shared(io) => match &**io {
                SharedSource::Lent(io) => Some(call(io.fd())),
                SharedSource::Foreign(_) => None,
            },
        })
    }

    /// Returns whether the other side of a source is closed, so nobody can write to it or read it
    /// any more.
    pub fn has_ended(self, key: Key) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let half = PollFlags::RDHUP;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let half = PollFlags::empty();
        self.poll_now(key, half).intersects(PollFlags::HUP | PollFlags::ERR | half)
    }

    /// Returns whether a read of a source would return something, possibly the end.
    pub(crate) fn is_readable(self, key: Key) -> bool {
        let any = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        self.poll_now(key, PollFlags::IN).intersects(any)
    }

    /// Asks the system, without the loop.
    fn poll_now(self, key: Key, asked: PollFlags) -> PollFlags {
        let seen = self.with_owned(key, |fd| {
            let mut fds = [PollFd::from_borrowed_fd(fd, asked)];
            // It fails for lack of memory. Then nothing is seen.
            poll(&mut fds, Some(&Timespec::default())).ok();
            fds[0].revents()
        });
        seen.unwrap_or(PollFlags::empty())
    }

    /// Has the loop call [`EventHandler::flush`] once: when the running callback returns to the
    /// loop, or before the next wait.
    ///
    /// Two requests make two calls, so a transport keeps a flag.
    #[inline]
    pub fn flush_later(self, handler: Rc<dyn EventHandler>) {
        if self.reactor.core.state.closed.get() {
            return drop(handler);
        }
        self.reactor.core.io.dirty.with(|dirty| dirty.push_back(handler));
        self.reactor.touch();
    }

    /// Has the loop call `transport` at its end: see [`OnEnd`].
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Reactor;
    /// use procession::driver::reactor::OnEnd;
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// #[derive(Default)]
    /// struct Connection(Cell<bool>);
    ///
    /// impl OnEnd for Connection {
    ///     fn stopped(self: Rc<Self>) {
    ///         self.0.set(true);
    ///     }
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// let connection = Rc::<Connection>::default();
    /// let weak = Rc::downgrade(&connection);
    /// let watch = reactor.io().watch_end(weak);
    /// reactor.call_soon(|reactor| reactor.stop());
    /// reactor.run()?;
    /// assert!(connection.0.get());
    /// drop(watch);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn watch_end(self, transport: Weak<dyn OnEnd>) -> EndWatch {
        EndWatch::new(self.reactor, transport)
    }

    /// Returns whether a signal has stopped the last run. Then the program is about to end, and
    /// children have a moment to end.
    pub fn is_ended_by_signal(self) -> bool {
        matches!(self.reactor.core.state.stopped.get(), Stopped::Signal(_))
    }

    /// Returns whether this process is a forked copy of the one that made the reactor. Then a drop
    /// in this process must not affect what the loop has in the original.
    pub fn is_inherited(self) -> bool {
        self.reactor.core.state.made_in.get().compared() == MadeIn::Original
    }

    /// Returns whether the reactor may claim signals: false if it was made
    /// [`without_signals`](crate::Reactor::without_signals).
    pub fn claims_signals(self) -> bool {
        self.reactor.core.state.claims_signals.get()
    }

    /// Has every [`Reactor::new`](crate::Reactor::new) of this process call `hook` from now on, in
    /// the new reactor's thread.
    ///
    /// For crates that must know of every reactor. One example is a crate that reaps children that
    /// outlived the reactor that started them. A function that is already registered is not added
    /// again.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::driver::reactor::Io;
    /// use procession::{Handle, Reactor};
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// static STARTED: AtomicU32 = AtomicU32::new(0);
    ///
    /// fn count(_: &Handle) {
    ///     STARTED.fetch_add(1, Ordering::Relaxed);
    /// }
    ///
    /// Io::on_reactor_start(count);
    /// let reactor = Reactor::new()?;
    /// assert_eq!(STARTED.load(Ordering::Relaxed), 1);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn on_reactor_start(hook: fn(&Handle)) {
        start_hooks::add(hook);
    }

    /// Has the reactor call `H` around what signals do to the whole program. Only the first call in
    /// a process has an effect.
    pub fn set_program_hooks<H: ProgramHooks>() {
        signals::set_program_hooks::<H>();
    }

    /// Flushes the queued handlers. Handlers that are queued meanwhile wait for the next call.
    /// Returns whether any was queued.
    #[inline]
    pub(crate) fn flush_dirty(self) -> bool {
        let is_queued = self.is_flush_queued();
        if is_queued {
            self.flush_queued();
        }
        is_queued
    }

    #[inline(never)]
    fn flush_queued(self) {
        let dirty = &self.reactor.core.io.dirty;
        for _ in 0..dirty.with(|dirty| dirty.len()) {
            let Some(handler) = dirty.with(VecDeque::pop_front) else { break };
            handler.flush(self.reactor);
        }
    }

    /// Returns whether a handler waits for its flush.
    #[inline]
    pub(crate) fn is_flush_queued(self) -> bool {
        self.reactor.core.io.dirty.with(|dirty| !dirty.is_empty())
    }

    /// Passes an event to the handler of a source that is still open. Returns false if the source
    /// is late and must wait for the others.
    #[inline]
    pub(crate) fn dispatch(self, key: Key, readiness: Readiness, late_too: bool) -> bool {
        let found = self.reactor.core.io.sources.with(|sources| {
            let (entry, token) = sources.with_token(key)?;
            let is_due = late_too || !entry.io.interest().is_late();
            Some((is_due.then(|| Rc::clone(&entry.handler)), token))
        });
        // `None` if a callback of the same batch has closed it.
        let Some((handler, token)) = found else { return true };
        let Some(handler) = handler else { return false };
        // This clone keeps the handler alive, not the descriptor, so `close` closes at once.
        handler.ready(self.reactor, Ready { key, token, readiness });
        self.flush_dirty();
        true
    }
}

impl fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Io").field(self.reactor).finish()
    }
}
