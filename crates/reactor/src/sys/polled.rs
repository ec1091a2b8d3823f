//! Values that own a source and its registration in the poller. They leave the poller, then they
//! close: [`PolledFd`] for a descriptor of a transport, [`Polled`] for a source of any type.
//!
//! `Polled` deletes the descriptor that it registered. A foreign source may return another
//! descriptor each time it is asked, and the descriptor that it returned first would stay in the
//! poller.
#![expect(unsafe_code, reason = "polling leaves the removal of a registered source to the caller")]

use std::cell::Cell;
use std::fmt;
use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::mem::ManuallyDrop;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::FromRawFd;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;

use polling::{Event, PollMode, Poller};

use crate::readiness::Interest;

/// Owns the descriptor of a transport and its registration. `Drop` removes the registration before it
/// closes the descriptor.
pub(crate) struct PolledFd {
    poller: Rc<Poller>,
    /// `None` once it was taken out.
    fd: Option<OwnedFd>,
    /// What the poller watches it for.
    interest: Cell<Interest>,
}

impl PolledFd {
    /// Makes a value that is not yet in the poller: see [`set`](Self::set).
    pub(crate) fn new(poller: Rc<Poller>, fd: OwnedFd) -> Self {
        Self { poller, fd: Some(fd), interest: Cell::new(Interest::PAUSED) }
    }

    #[inline]
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_ref().expect("taken by the last owner only, which drops this at once").as_fd()
    }

    #[inline]
    pub(crate) fn interest(&self) -> Interest {
        self.interest.get()
    }

    /// Adds, changes or removes the registration.
    pub(crate) fn set(&self, key: usize, interest: Interest) -> io::Result<()> {
        if !interest.is_polled() {
            let was_added = self.interest.replace(interest).is_polled();
            return if was_added { self.poller.delete(self.fd()) } else { Ok(()) };
        }
        let event = Event::new(key, interest.reads(), interest.writes());
        let fd = self.fd();
        if self.interest.get().is_polled() {
            self.poller.modify_with_mode(fd, event, PollMode::Level)?;
        } else {
            // SAFETY: `leave` deletes the descriptor from the poller before it is closed or taken out:
            // `Drop` and `release` call it.
            unsafe { self.poller.add_with_mode(fd.as_raw_fd(), event, PollMode::Level)? };
        }
        self.interest.set(interest);
        Ok(())
    }

    /// Leaves the poller, if it is in it.
    pub(crate) fn leave(&self) {
        // A failure needs no handling here, because the close that follows also removes the source.
        self.set(0, Interest::PAUSED).ok();
    }

    /// Leaves the poller and returns the descriptor.
    pub(crate) fn release(&mut self) -> Option<OwnedFd> {
        self.leave();
        self.fd.take()
    }

    /// Moves the descriptor with its registration to a new owner.
    pub(crate) fn take(&mut self) -> Self {
        Self {
            poller: Rc::clone(&self.poller),
            fd: self.fd.take(),
            interest: Cell::new(self.interest.replace(Interest::PAUSED)),
        }
    }
}

impl Drop for PolledFd {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A source of a foreign type, which stays in here until dropped.
#[derive(Debug)]
pub(crate) struct Foreign<S>(pub(crate) S);

impl<S: AsFd> AsFd for Foreign<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Owns a source and its registration. `Drop` removes the registration before it drops the source.
///
/// The source is lent as `&S` only, so it cannot be swapped for another while registered.
pub(crate) struct Polled<S: AsFd + ?Sized> {
    poller: Rc<Poller>,
    mode: PollMode,
    /// What the poller knows of the source.
    added: Cell<Option<PollerEntry>>,
    /// What the source is watched for.
    interest: Cell<Interest>,
    source: S,
}

/// A descriptor in the poller, with the key of its events.
#[derive(Debug, Clone, Copy)]
struct PollerEntry {
    fd: RawFd,
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux shows what is there")
    )]
    key: usize,
}

impl<S: AsFd> Polled<S> {
    /// Makes a value that is not yet in the poller: see [`set`](Polled::set).
    pub(crate) fn new(poller: Rc<Poller>, mode: PollMode, source: S) -> Self {
        let interest = Cell::new(Interest::PAUSED);
        Self { poller, mode, added: Cell::new(None), interest, source }
    }

    pub(crate) fn source(&self) -> &S {
        &self.source
    }
}

impl<S: AsFd + ?Sized> Polled<S> {
    #[inline]
    pub(crate) fn interest(&self) -> Interest {
        self.interest.get()
    }

    /// Adds, changes or removes the registration.
    pub(crate) fn set(&self, key: usize, interest: Interest) -> io::Result<()> {
        self.interest.set(interest);
        if !interest.is_polled() {
            return self.added.take().map_or(Ok(()), |added| self.delete(added));
        }
        let event = Event::new(key, interest.reads(), interest.writes());
        let source = self.source.as_fd();
        if let Some(added) = self.added.get() {
            if added.fd == source.as_raw_fd() {
                return self.poller.modify_with_mode(source, event, self.mode);
            }
            self.added.set(None);
            self.delete(added)?;
        }
        let fd = source.as_raw_fd();
        // SAFETY: `Drop` below deletes the descriptor from the poller before `source` is dropped. The
        // source is never moved out, and never lent as `&mut S`.
        unsafe { self.poller.add_with_mode(fd, event, self.mode)? };
        self.added.set(Some(PollerEntry { fd, key }));
        Ok(())
    }

    fn delete(&self, added: PollerEntry) -> io::Result<()> {
        let source = self.source.as_fd();
        if source.as_raw_fd() == added.fd {
            return self.poller.delete(source);
        }
        if !is_registered(&self.poller, added) {
            return Ok(());
        }
        // SAFETY: the borrow lasts for the call only. The call only looks the number up, and fails
        // if the descriptor is already closed.
        let fd = unsafe { BorrowedFd::borrow_raw(added.fd) };
        self.poller.delete(fd)
    }

    #[inline]
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    /// Leaves the poller, if the source is in it.
    pub(crate) fn leave(&self) {
        if let Some(added) = self.added.take() {
            // A failure needs no handling here, because the close that follows also removes the
            // source.
            self.delete(added).ok();
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

/// Replaces the poller's descriptor by a duplicate of `other`, in a forked copy of the process that
/// made the poller. Then the deletions by `Polled` and by the poller's own drop do not touch the
/// epoll instance that both processes share. Closing the copy's descriptors removes nothing from
/// that instance either.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn disown(poller: &Poller, other: BorrowedFd<'_>) -> io::Result<()> {
    let number = poller.as_fd().as_raw_fd();
    // SAFETY: the poller has the number open and continues to own it, because `ManuallyDrop` never
    // closes it.
    let own = unsafe { OwnedFd::from_raw_fd(number) };
    let mut own = ManuallyDrop::new(own);
    // dup3 replaces the descriptor in one step, so the number is never free for another thread's
    // file.
    Ok(rustix::io::dup3(other, &mut own, rustix::io::DupFlags::CLOEXEC)?)
}

/// Does nothing: a kqueue is not inherited, and an event port belongs to its own process.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn disown(_: &Poller, _: BorrowedFd<'_>) -> io::Result<()> {
    Ok(())
}

/// Returns whether the poller has this number for this key. The descriptor may be closed, and the
/// number may already belong to another source. If the system does not tell, returns true.
#[cfg(target_os = "linux")]
fn is_registered(poller: &Poller, added: PollerEntry) -> bool {
    let path = format!("/proc/self/fdinfo/{}", poller.as_fd().as_raw_fd());
    let Ok(info) = std::fs::read_to_string(path) else { return true };
    // The lines look like "tfd: 7 events: 19 data: 5 pos:0 ...". The data are hexadecimal
    // (`proc_pid_fdinfo(5)`).
    info.lines().filter(|line| line.starts_with("tfd:")).any(|line| {
        let mut words = line.split_whitespace();
        let fd = words.nth(1).and_then(|fd| fd.parse().ok());
        let key = words.nth(3).and_then(|key| usize::from_str_radix(key, 16).ok());
        fd == Some(added.fd) && key == Some(added.key)
    })
}

#[cfg(not(target_os = "linux"))]
fn is_registered(_: &Poller, _: PollerEntry) -> bool {
    true
}
