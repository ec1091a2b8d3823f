//! Sources whose handler is a closure.

use std::fmt;
use std::io::{self, Read, Write};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use polling::PollMode;
use procession_core::driver::WithCell;

use crate::handle::{EventHandler, Handle, Ready};
use crate::readiness::{Interest, Readiness};
use crate::store::sources::{Key, SharedSource};
use crate::sys::polled::{Foreign, Polled};

/// A registered source, as its callback receives it.
///
/// It reads and writes as the source does. All other access is shared only, so a source cannot be
/// swapped for another while it is registered.
pub struct Registered<'a, S: AsFd> {
    io: &'a Polled<Foreign<S>>,
    key: Key,
    reactor: &'a Handle,
}

impl<S: AsFd> Registered<'_, S> {
    /// Ends the registration now, so the descriptor may be registered again. The source is dropped
    /// when the callback returns.
    pub fn close(&self) {
        self.reactor.io().close(self.key);
    }

    /// Changes what the source is watched for.
    ///
    /// # Errors
    ///
    /// The poller's errors.
    pub fn set_interest(&self, interest: Interest) -> io::Result<()> {
        self.reactor.io().set_interest(self.key, interest)
    }

    /// Returns the reactor.
    pub fn reactor(&self) -> &Handle {
        self.reactor
    }
}

impl<S: AsFd> Deref for Registered<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.io.source().0
    }
}

impl<S: AsFd> Read for Registered<'_, S>
where
    for<'s> &'s S: Read,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.io.source().0).read(buffer)
    }
}

impl<S: AsFd> Write for Registered<'_, S>
where
    for<'s> &'s S: Write,
{
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&self.io.source().0).write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&self.io.source().0).flush()
    }
}

impl<S: AsFd> fmt::Debug for Registered<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("key", &self.key).finish_non_exhaustive()
    }
}

/// A source that [`Handle::register`] took.
///
/// Dropping it does nothing: the reactor owns the source until it is closed.
#[derive(Clone)]
pub struct Registration {
    key: Key,
    reactor: Handle,
}

impl Registration {
    pub(super) fn new<S: AsFd + 'static>(
        reactor: &Handle,
        source: S,
        interest: Interest,
        callback: impl FnMut(&mut Registered<'_, S>, Readiness) + 'static,
    ) -> io::Result<Self> {
        let poller = reactor.io().poller()?;
        let io = Rc::new(Polled::new(poller, PollMode::Level, Foreign(source)));
        let callback = WithCell::new(Some(callback));
        let handler = Rc::new(CallbackSource { io: Rc::clone(&io), callback });
        let key = reactor.io().insert(SharedSource::Foreign(io), interest, handler)?;
        Ok(Self { key, reactor: reactor.clone() })
    }

    /// Ends the registration and drops the source. Inside the source's own callback, the drop
    /// happens when the callback returns. A second call does nothing.
    #[doc(alias = "removeReader")]
    #[doc(alias = "removeWriter")]
    pub fn close(&self) {
        self.reactor.io().close(self.key);
    }

    /// Returns whether the source is still registered.
    pub fn is_open(&self) -> bool {
        self.reactor.io().is_open(self.key)
    }

    /// Changes what the source is watched for.
    ///
    /// # Errors
    ///
    /// The poller's errors. `NotConnected` if the source is closed.
    pub fn set_interest(&self, interest: Interest) -> io::Result<()> {
        self.reactor.io().set_interest(self.key, interest)
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("open", &self.is_open()).finish_non_exhaustive()
    }
}

struct CallbackSource<S: AsFd, F> {
    io: Rc<Polled<Foreign<S>>>,
    /// `None` while it runs, and after a panic.
    callback: WithCell<Option<F>>,
}

impl<S: AsFd, F: FnMut(&mut Registered<'_, S>, Readiness)> EventHandler for CallbackSource<S, F> {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        let Some(mut callback) = self.callback.take() else { return };
        let mut source = Registered { io: &self.io, key: ready.key, reactor };
        match catch_unwind(AssertUnwindSafe(|| callback(&mut source, ready.readiness))) {
            Ok(()) => {
                let none = self.callback.replace(Some(callback));
                drop(none);
            }
            Err(panic) => {
                reactor.io().close(ready.key);
                // Only the first panic is reported.
                catch_unwind(AssertUnwindSafe(move || drop(callback))).ok();
                resume_unwind(panic);
            }
        }
    }
}
