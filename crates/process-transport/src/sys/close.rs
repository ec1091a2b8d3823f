//! Closing all but a few descriptors, on every kernel.

use super::raw::{self, Call};
use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::AsRawFd;

/// Gets rid of `first` to `last`, both included.
///
/// `lazily` marks them close-on-exec, which costs less in a large table, and leaves the closing to
/// the exec.
pub(super) fn close(first: u32, last: u32, lazily: bool) -> Call {
    let flags = if lazily { libc::CLOSE_RANGE_CLOEXEC } else { 0 };
    let closed = match raw::close_range(first, last, flags) {
        // The flag came with Linux 5.11, the call with 5.9.
        Err(libc::EINVAL) if lazily => raw::close_range(first, last, 0),
        result => result,
    };
    // Whatever a filter makes of the call: one by one works.
    closed.or_else(|_| mark_one_by_one(first, last))
}

/// Without `close_range`: by the list in /proc, and without that up to the limit.
fn mark_one_by_one(first: u32, last: u32) -> Call {
    if mark_listed(first, last).is_err() {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
        let end = u32::try_from(limit).unwrap_or(u32::MAX).saturating_sub(1);
        (first..=last.min(end)).for_each(mark);
    }
    Ok(())
}

fn mark_listed(first: u32, last: u32) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = ManuallyDrop::new(openat(CWD, c"/proc/self/fd", flags, Mode::empty())?);
    let mut buffer = [MaybeUninit::<u8>::uninit(); 2048];
    let mut entries = RawDir::new(&*dir, &mut buffer);
    let result = loop {
        match entries.next() {
            None => break Ok(()),
            Some(Err(error)) => break Err(error),
            Some(Ok(entry)) => {
                if let Some(fd) = number(entry.file_name().to_bytes())
                    && (first..=last).contains(&fd)
                {
                    mark(fd);
                }
            }
        }
    };
    // It is marked as well, so that a failure would change nothing.
    raw::close(dir.as_raw_fd()).ok();
    result
}

/// A number that is not open needs no mark.
fn mark(fd: u32) {
    raw::set_cloexec(fd.cast_signed(), true).ok();
}

/// The name of an entry of /proc/self/fd as a number; `.` and `..` are none.
fn number(name: &[u8]) -> Option<u32> {
    name.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u32::from(digit))
    })
}
