//! What transports ask of a reactor: sources by key, and being flushed.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;

use polling::{PollMode, Poller};

use crate::core::gone;
use crate::handle::Handle;
use crate::handler::{EventHandler, Ready};
use crate::readiness::{Interest, Readiness};
use crate::sources::{Entry, Io, Key};
use crate::sys::polled::{Owned, Polled};

impl Handle {
    /// Gives a descriptor to the reactor, which is its sole owner from now on.
    ///
    /// `handler` is told what happens to it, under `token`. The descriptor should be nonblocking.
    ///
    /// # Errors
    ///
    /// Those of the poller (epoll refuses regular files with `EPERM`), and `NotConnected` if the
    /// reactor is gone. The descriptor is closed then.
    pub fn add_source(
        &self,
        fd: OwnedFd,
        interest: Interest,
        handler: Rc<dyn EventHandler>,
        token: u32,
    ) -> io::Result<Key> {
        let io = Rc::new(Polled::new(self.poller()?, PollMode::Level, Owned::new(fd)));
        self.insert(Io::Owned(io), interest, handler, token)
    }

    pub(crate) fn poller(&self) -> io::Result<Rc<Poller>> {
        if self.core.closed.get() {
            return Err(gone());
        }
        self.core.poller.with(|poller| poller.clone()).ok_or_else(gone)
    }

    pub(crate) fn insert(
        &self,
        io: Io,
        interest: Interest,
        handler: Rc<dyn EventHandler>,
        token: u32,
    ) -> io::Result<Key> {
        // The key first, then the registration: a source's `as_fd` may be foreign code, so that
        // nothing may be borrowed meanwhile.
        let entry = Entry { io: io.clone(), handler, token, interest };
        let key = self.core.sources.with(|sources| sources.insert(entry))?;
        if let Err(error) = io.set(key, interest) {
            self.close(key);
            return Err(error);
        }
        Ok(key)
    }

    /// Says that an event of a source is likely within some 20 µs.
    ///
    /// The loop then looks for one for as long before it sleeps, once: to sleep and be woken takes
    /// about that time. What is said in vain again and again is ignored but for one time in 64.
    pub fn expect_soon(&self) {
        self.core.anticipation.on_expected();
    }

    /// Closes the source now; events of it that are still in the batch go nowhere.
    ///
    /// One that is lent at this moment, to [`with_fd`](Self::with_fd) or to its own callback, leaves
    /// the poller now, and its descriptor is closed, or the source dropped, when it is given back.
    /// False if it was closed before.
    pub fn close(&self, key: Key) -> bool {
        let Some(entry) = self.core.sources.with(|sources| sources.remove(key)) else {
            return false;
        };
        entry.io.leave();
        drop(entry); // where nothing is borrowed
        true
    }

    /// Takes the descriptor back; the source is gone from the reactor.
    ///
    /// `None` if there is no such source. Of one that was [registered](Self::register), or is lent
    /// at this moment, it gives a duplicate; `None` if there is no descriptor left for that.
    pub fn take_fd(&self, key: Key) -> Option<OwnedFd> {
        let entry = self.core.sources.with(|sources| sources.remove(key))?;
        let Entry { mut io, handler, .. } = entry;
        let fd = match io.release() {
            Some(fd) => Some(fd),
            None => {
                io.leave();
                io.fd().try_clone_to_owned().ok()
            }
        };
        drop(handler);
        fd
    }

    /// Changes what the source is watched for.
    ///
    /// # Errors
    ///
    /// Those of the poller; `NotConnected` if the source is closed.
    pub fn set_interest(&self, key: Key, interest: Interest) -> io::Result<()> {
        let io = self.core.sources.with(|sources| {
            let entry = sources.get(key)?;
            entry.interest = interest;
            Some(entry.io.clone())
        });
        match io {
            Some(io) => io.set(key, interest),
            None => Err(io::Error::new(io::ErrorKind::NotConnected, "the source is closed")),
        }
    }

    /// Tells whether the source is open.
    pub fn is_open(&self, key: Key) -> bool {
        self.core.sources.with(|sources| sources.get(key).is_some())
    }

    /// Lends the descriptor for the length of `call`; `None` if the source is closed.
    ///
    /// Nothing is borrowed meanwhile, and it stays open until `call` returns, even if that closes
    /// the source.
    pub fn with_fd<R>(&self, key: Key, call: impl FnOnce(BorrowedFd<'_>) -> R) -> Option<R> {
        let io = self.core.sources.with(|sources| Some(sources.get(key)?.io.clone()))?;
        Some(call(io.fd()))
    }

    /// Lends the descriptor of a transport under the borrow: `call` makes system calls and no more.
    #[inline]
    pub(crate) fn with_owned<R>(
        &self,
        key: Key,
        call: impl FnOnce(BorrowedFd<'_>) -> R,
    ) -> Option<R> {
        self.core.sources.with(|sources| match &sources.get(key)?.io {
            Io::Owned(io) => Some(call(io.fd())),
            Io::Foreign(_) => None,
        })
    }

    /// Has [`EventHandler::flush`] called once: when the running callback returns to the loop, or
    /// before the next wait.
    ///
    /// Asked for twice it is called twice; a transport keeps a flag.
    #[inline]
    pub fn flush_later(&self, handler: Rc<dyn EventHandler>) {
        if self.core.closed.get() {
            return drop(handler);
        }
        self.core.dirty.with(|dirty| dirty.push_back(handler));
        self.touch();
    }

    /// Flushes what is queued now; what that adds waits for the next call. False if nothing was.
    pub(crate) fn flush_dirty(&self) -> bool {
        let queued = self.core.dirty.with(|dirty| dirty.len());
        for _ in 0..queued {
            let handler = self.core.dirty.with(|dirty| dirty.pop_front());
            let Some(handler) = handler else { break };
            handler.flush(self);
        }
        queued > 0
    }

    /// Tells the handler of a source, if that is still open; false if it has to wait for the others.
    pub(crate) fn dispatch(&self, key: Key, readiness: Readiness, late_too: bool) -> bool {
        let found = self.core.sources.with(|sources| {
            let entry = sources.get(key)?;
            if entry.interest.is_late() && !late_too {
                return Some(Err(()));
            }
            Some(Ok((Rc::clone(&entry.handler), entry.token)))
        });
        match found {
            None => {} // closed by a callback of the same batch
            Some(Err(())) => return false,
            Some(Ok((handler, token))) => {
                // This clone keeps the handler alive, not the descriptor: `close` closes at once.
                handler.ready(self, Ready { key, token, readiness });
                self.flush_dirty();
            }
        }
        true
    }
}
