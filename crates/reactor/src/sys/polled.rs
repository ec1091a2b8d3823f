//! A value that owns a source and its place in the poller: it leaves the poller, then it closes.
#![expect(unsafe_code, reason = "polling leaves the removal of a registered source to the caller")]

use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use polling::{Event, PollMode, Poller};

use crate::readiness::Interest;

/// A descriptor of a transport, which can be taken back.
#[derive(Debug)]
pub(crate) struct Owned(Option<OwnedFd>);

impl Owned {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self(Some(fd))
    }
}

impl AsFd for Owned {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_ref().expect("taken by the last owner only, which drops this at once").as_fd()
    }
}

/// A source of a foreign type, which stays in here until it is dropped.
#[derive(Debug)]
pub(crate) struct Foreign<S>(pub(crate) S);

impl<S: AsFd> AsFd for Foreign<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Owns a source and its registration; `Drop` undoes the second before the first.
///
/// The source is lent as `&S` only, so that it cannot be swapped for another while registered.
pub(crate) struct Polled<S: AsFd + ?Sized> {
    poller: Rc<Poller>,
    mode: PollMode,
    /// Whether the poller knows the source.
    added: Cell<bool>,
    source: S,
}

impl<S: AsFd> Polled<S> {
    /// Not yet in the poller: see [`set`](Polled::set).
    pub(crate) fn new(poller: Rc<Poller>, mode: PollMode, source: S) -> Self {
        Self { poller, mode, added: Cell::new(false), source }
    }

    pub(crate) fn source(&self) -> &S {
        &self.source
    }
}

impl Polled<Owned> {
    /// Leaves the poller and hands the descriptor out.
    pub(crate) fn release(&mut self) -> Option<OwnedFd> {
        self.leave();
        self.source.0.take()
    }
}

impl<S: AsFd + ?Sized> Polled<S> {
    /// Adds, changes or removes the registration.
    pub(crate) fn set(&self, key: usize, interest: Interest) -> io::Result<()> {
        if !interest.is_polled() {
            if self.added.replace(false) {
                self.poller.delete(self.source.as_fd())?;
            }
            return Ok(());
        }
        let event = Event::new(key, interest.reads(), interest.writes());
        if self.added.get() {
            return self.poller.modify_with_mode(self.source.as_fd(), event, self.mode);
        }
        let fd = self.source.as_fd().as_raw_fd();
        // SAFETY: `Drop` below deletes it from the poller before `source` is dropped; `release`
        // does so before it takes the descriptor out; it is never moved out otherwise, and never
        // lent as `&mut S`.
        unsafe { self.poller.add_with_mode(fd, event, self.mode)? };
        self.added.set(true);
        Ok(())
    }

    #[inline]
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    /// Leaves the poller, if it is there.
    pub(crate) fn leave(&self) {
        if self.added.replace(false) {
            // Nothing can be done here about a failure: the close that follows removes it too.
            self.poller.delete(self.source.as_fd()).ok();
        }
    }
}

impl<S: AsFd + ?Sized> Drop for Polled<S> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<S: AsFd + ?Sized> fmt::Debug for Polled<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polled").field("added", &self.added.get()).finish_non_exhaustive()
    }
}
