//! Closing all but a few descriptors, on every kernel.

use super::closing::Closing;
use super::raw::{self, Call};
use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::AsRawFd;

/// What becomes of a number that the child is not to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Closed at once.
    Closed,
    /// Close-on-exec. It costs less in a large table, and leaves the closing to the exec.
    Marked {
        /// A closure may use it until then: it must not be closed before, at whatever cost.
        is_used: bool,
    },
}

/// Gets rid of `first` to `last`, both included. All are marked where a closure may use them.
pub(super) fn close(first: u32, last: u32, how: Closing) -> Call {
    let end = |first, last, fate| {
        if how.is_plain { one_by_one(first, last, fate) } else { end(first, last, fate) }
    };
    let now = |last| if first <= last { end(first, last, Fate::Closed) } else { Ok(()) };
    match how.marked_from {
        None => now(last),
        Some(0) => end(first, last, Fate::Marked { is_used: true }),
        Some(from) => {
            now(last.min(from - 1))?;
            let marked = Fate::Marked { is_used: false };
            if last >= from { end(first.max(from), last, marked) } else { Ok(()) }
        }
    }
}

fn end(first: u32, last: u32, fate: Fate) -> Call {
    let closed = match fate {
        Fate::Closed => raw::close_range(first, last, 0),
        // The flag came with Linux 5.11, the call with 5.9.
        Fate::Marked { is_used: false } => raw::close_range(first, last, libc::CLOSE_RANGE_CLOEXEC)
            .or_else(|_| raw::close_range(first, last, 0)),
        Fate::Marked { is_used: true } => raw::close_range(first, last, libc::CLOSE_RANGE_CLOEXEC),
    };
    // Whatever a filter or an old kernel makes of the call: one by one works.
    closed.or_else(|_| one_by_one(first, last, fate))
}

/// Without `close_range`: by the list in /proc, and without that up to the limit.
fn one_by_one(first: u32, last: u32, fate: Fate) -> Call {
    if listed(first, last, fate).is_err() {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
        let end = u32::try_from(limit).unwrap_or(u32::MAX).saturating_sub(1);
        (first..=last.min(end)).for_each(|fd| one(fd, fate));
    }
    Ok(())
}

fn listed(first: u32, last: u32, fate: Fate) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = ManuallyDrop::new(openat(CWD, c"/proc/self/fd", flags, Mode::empty())?);
    let list = dir.as_raw_fd();
    let mut buffer = [MaybeUninit::<u8>::uninit(); 2048];
    let mut entries = RawDir::new(&*dir, &mut buffer);
    let result = loop {
        match entries.next() {
            None => break Ok(()),
            Some(Err(error)) => break Err(error),
            Some(Ok(entry)) => {
                if let Some(fd) = number(entry.file_name().to_bytes())
                    && (first..=last).contains(&fd)
                    && fd.cast_signed() != list
                {
                    one(fd, fate);
                }
            }
        }
    };
    raw::close(list).ok(); // it was opened here
    result
}

/// A number that is not open needs nothing.
fn one(fd: u32, fate: Fate) {
    match fate {
        Fate::Closed => raw::close(fd.cast_signed()).ok(),
        Fate::Marked { .. } => raw::set_cloexec(fd.cast_signed(), true).ok(),
    };
}

/// The name of an entry of /proc/self/fd as a number; `.` and `..` are none.
fn number(name: &[u8]) -> Option<u32> {
    name.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u32::from(digit))
    })
}
