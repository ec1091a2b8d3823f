//! Closes all but a few descriptors, on every kernel.

use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::AsRawFd;

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::closing::CloseOptions;
use super::raw::{self, Call};

/// What happens to a number that the child must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CloseAction {
    /// It is closed at once.
    Closed,
    /// It is marked close-on-exec. This is cheaper in a large table, and the exec does the closing.
    Marked {
        /// A closure may use it until the exec, so it must not be closed earlier, whatever the
        /// marking costs.
        is_used: bool,
    },
}

/// Closes or marks `first` to `last`, both included. Marks all of them if a closure may use them.
pub(super) fn close(first: u32, last: u32, how: CloseOptions) -> Call {
    let end = |first, last, action| {
        if how.is_plain { one_by_one(first, last, action) } else { end(first, last, action) }
    };
    let now = |last| if first <= last { end(first, last, CloseAction::Closed) } else { Ok(()) };
    match how.marked_from {
        None => now(last),
        Some(0) => end(first, last, CloseAction::Marked { is_used: true }),
        Some(from) => {
            now(last.min(from - 1))?;
            let marked = CloseAction::Marked { is_used: false };
            if last >= from { end(first.max(from), last, marked) } else { Ok(()) }
        }
    }
}

fn end(first: u32, last: u32, action: CloseAction) -> Call {
    let closed = match action {
        CloseAction::Closed => raw::close_range(first, last, 0),
        // The flag came with Linux 5.11, the call with 5.9.
        CloseAction::Marked { is_used: false } => {
            raw::close_range(first, last, libc::CLOSE_RANGE_CLOEXEC)
                .or_else(|_| raw::close_range(first, last, 0))
        }
        CloseAction::Marked { is_used: true } => {
            raw::close_range(first, last, libc::CLOSE_RANGE_CLOEXEC)
        }
    };
    // A filter or an old kernel may fail the call in any way; one by one always works.
    closed.or_else(|_| one_by_one(first, last, action))
}

/// Does it without `close_range`: by the list in /proc, or else for all numbers up to the limit.
fn one_by_one(first: u32, last: u32, action: CloseAction) -> Call {
    if listed(first, last, action).is_err() {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
        let end = u32::try_from(limit).unwrap_or(u32::MAX).saturating_sub(1);
        (first..=last.min(end)).for_each(|fd| one(fd, action));
    }
    Ok(())
}

fn listed(first: u32, last: u32, action: CloseAction) -> Result<(), Errno> {
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
                    one(fd, action);
                }
            }
        }
    };
    raw::close(list).ok(); // opened above
    result
}

/// Closes or marks one number; does nothing if it is not open.
fn one(fd: u32, action: CloseAction) {
    match action {
        CloseAction::Closed => raw::close(fd.cast_signed()).ok(),
        CloseAction::Marked { .. } => raw::set_cloexec(fd.cast_signed(), true).ok(),
    };
}

/// Parses the name of an entry of /proc/self/fd as a number; `.` and `..` are not numbers.
fn number(name: &[u8]) -> Option<u32> {
    name.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u32::from(digit))
    })
}
