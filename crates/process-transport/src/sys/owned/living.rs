//! Finds live members of a group in `/proc`, inside a signal handler: plain system calls, and a
//! kilobyte of the stack, which may be a small alternate one.
//!
//! What is read and what it means is the same as for a termination (`group/survey.rs`): a zombie
//! with at most one thread is dead. A process is read only if its group is one of those in
//! question.
#![expect(unsafe_code, reason = "system calls in a signal handler")]

use std::ffi::{CStr, c_int};

use super::calls;
use crate::sys::proc_stat::{ProcStat, number};
use crate::sys::raw::last_errno;

/// The size of one read, of names or of one process: the first 20 fields of a process fit.
const BUFFER_BYTES: usize = 512;

/// The fields of an entry before its name (`getdents64(2)`): two numbers of 8 bytes, its size, its
/// type.
const NAME_AT: usize = 19;
const SIZE_AT: usize = 16;

/// Returns whether a process of a group in question lives; `None` if `/proc` cannot be read, or is
/// that of another PID namespace.
pub(super) fn is_any_alive(is_asked: impl Fn(c_int) -> bool) -> Option<bool> {
    let proc = ProcFile::open(libc::AT_FDCWD, c"/proc", libc::O_DIRECTORY).ok()?;
    if proc.link_to_number(c"self") != Some(calls::own_pid()) {
        return None;
    }
    let mut buffer = [0; BUFFER_BYTES];
    loop {
        let count = proc.names(&mut buffer)?;
        let mut entries = buffer.get(..count)?;
        if entries.is_empty() {
            return Some(false);
        }
        while let Some((entry, rest)) = next_entry(entries) {
            entries = rest;
            let Some(pid) = number(entry) else { continue };
            if calls::group_of(pid).is_some_and(&is_asked) && proc.lives(entry)? {
                return Some(true);
            }
        }
    }
}

/// Returns the name of the first entry, and what follows the entry.
fn next_entry(entries: &[u8]) -> Option<(&[u8], &[u8])> {
    let size: [u8; 2] = entries.get(SIZE_AT..SIZE_AT + 2)?.try_into().ok()?;
    let (entry, rest) = entries.split_at_checked(u16::from_ne_bytes(size).into())?;
    let name = entry.get(NAME_AT..)?;
    Some((name.split(|byte| *byte == 0).next()?, rest))
}

/// A descriptor, closed on drop.
struct ProcFile(c_int);

impl ProcFile {
    fn open(dir: c_int, path: &CStr, flags: c_int) -> Result<Self, c_int> {
        let flags = flags | libc::O_RDONLY | libc::O_CLOEXEC;
        // SAFETY: the path ends in a zero byte.
        let fd = unsafe { libc::syscall(libc::SYS_openat, dir, path.as_ptr(), flags) };
        c_int::try_from(fd).ok().filter(|fd| *fd >= 0).map(Self).ok_or_else(last_errno)
    }

    /// Reads names of this directory; returns 0 at the end.
    fn names(&self, buffer: &mut [u8; BUFFER_BYTES]) -> Option<usize> {
        // SAFETY: the pointer leads to a buffer of the length that is passed.
        let count = unsafe {
            libc::syscall(libc::SYS_getdents64, self.0, buffer.as_mut_ptr(), BUFFER_BYTES)
        };
        usize::try_from(count).ok()
    }

    fn read(&self, buffer: &mut [u8; BUFFER_BYTES]) -> Result<usize, c_int> {
        // SAFETY: as above.
        let count =
            unsafe { libc::syscall(libc::SYS_read, self.0, buffer.as_mut_ptr(), BUFFER_BYTES) };
        usize::try_from(count).map_err(|_| last_errno())
    }

    /// Returns the number that a link of this directory leads to.
    fn link_to_number(&self, name: &CStr) -> Option<c_int> {
        let mut buffer = [0; 16];
        let to = buffer.as_mut_ptr();
        // SAFETY: the name ends in a zero byte, and the pointer leads to a buffer of the length
        // that is passed.
        let count = unsafe { libc::syscall(libc::SYS_readlinkat, self.0, name.as_ptr(), to, 16) };
        number(buffer.get(..usize::try_from(count).ok()?)?)
    }

    /// Returns whether the process of that number lives, from its directory in this one.
    fn lives(&self, number: &[u8]) -> Option<bool> {
        let mut path = [0; 32];
        let ends = path.get_mut(..number.len() + 5)?;
        let (name, rest) = ends.split_at_mut(number.len());
        name.copy_from_slice(number);
        rest.copy_from_slice(b"/stat");
        let path = CStr::from_bytes_until_nul(&path).ok()?;
        let mut buffer = [0; BUFFER_BYTES];
        let read = Self::open(self.0, path, 0).and_then(|file| file.read(&mut buffer));
        match read {
            Ok(count) => Some(ProcStat::parse(buffer.get(..count)?)?.is_alive),
            // The process is gone.
            Err(libc::ENOENT | libc::ESRCH) => Some(false),
            Err(_) => None,
        }
    }
}

impl Drop for ProcFile {
    fn drop(&mut self) {
        // SAFETY: this value opened the descriptor, and nothing else owns its number.
        unsafe { libc::syscall(libc::SYS_close, self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_live_members_are_found() {
        let own = rustix::process::getpgrp().as_raw_nonzero().get();
        assert_eq!(is_any_alive(|group| group == own), Some(true));
        assert_eq!(is_any_alive(|group| group == 4_194_305), Some(false));
    }
}
