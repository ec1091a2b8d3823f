//! A value that owns a source and its place in the poller: it leaves the poller, then it closes.
//!
//! What was registered is what is deleted: a foreign source may give another descriptor each time it is
//! asked, and the one that it gave first would stay in the poller.
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
    /// What the poller knows of the source.
    added: Cell<Option<PollerEntry>>,
    source: S,
}

/// A descriptor in the poller, with the key that its events have.
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
    /// Not yet in the poller: see [`set`](Polled::set).
    pub(crate) fn new(poller: Rc<Poller>, mode: PollMode, source: S) -> Self {
        Self { poller, mode, added: Cell::new(None), source }
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
        // SAFETY: `Drop` below deletes it from the poller before `source` is dropped; `release`
        // does so before it takes the descriptor out; it is never moved out otherwise, and never
        // lent as `&mut S`.
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
        // SAFETY: for the length of the call, which only looks the number up: of one that is closed by
        // now it says so.
        let fd = unsafe { BorrowedFd::borrow_raw(added.fd) };
        self.poller.delete(fd)
    }

    #[inline]
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    /// Leaves the poller, if it is there.
    pub(crate) fn leave(&self) {
        if let Some(added) = self.added.take() {
            // Nothing can be done here about a failure: the close that follows removes it too.
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

/// Makes the poller's number one for what `other` is. In a forked copy of the process that made it: what
/// is deleted from it after that, by `Polled` and by the poller's own drop, is not deleted from the epoll
/// instance that the two share, and closing the descriptors takes nothing out of that.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn disown(poller: &Poller, other: BorrowedFd<'_>) -> io::Result<()> {
    let number = poller.as_fd().as_raw_fd();
    // SAFETY: the poller has it open, and goes on to own it: `ManuallyDrop` never closes it.
    let own = unsafe { OwnedFd::from_raw_fd(number) };
    let mut own = ManuallyDrop::new(own);
    // One step: at no time is the number free for another thread's file.
    Ok(rustix::io::dup3(other, &mut own, rustix::io::DupFlags::CLOEXEC)?)
}

/// A kqueue is not inherited, and an event port is its own process's.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn disown(_: &Poller, _: BorrowedFd<'_>) -> io::Result<()> {
    Ok(())
}

/// Whether the poller has this number for this key: the descriptor may be closed, and the number be that of
/// another source by now. Where the system does not say it is taken to be so.
#[cfg(target_os = "linux")]
fn is_registered(poller: &Poller, added: PollerEntry) -> bool {
    let path = format!("/proc/self/fdinfo/{}", poller.as_fd().as_raw_fd());
    let Ok(info) = std::fs::read_to_string(path) else { return true };
    // "tfd: 7 events: 19 data: 5 pos:0 ...", the data in hexadecimal digits (`proc_pid_fdinfo(5)`).
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
