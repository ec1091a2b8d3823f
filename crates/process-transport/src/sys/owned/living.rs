//! Finds live members of a group in `/proc`, inside a signal handler: plain system calls, and a
//! kilobyte of the stack, which may be a small alternate one.
//!
//! What is read and what it means is the same as for a termination (`group/survey.rs`): a zombie
//! with at most one thread is dead. A process is read only if its group is one of those in
//! question.
#![expect(unsafe_code, reason = "system calls in a signal handler")]

use super::calls;
use crate::sys::raw::last_errno;
use std::ffi::{CStr, c_int};

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

fn number(digits: &[u8]) -> Option<c_int> {
    let add = |sum: c_int, digit: &u8| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(digit.into())
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

/// Returns whether a line of `/proc/PID/stat` describes a live process.
fn is_alive(line: &[u8]) -> Option<bool> {
    let name_ends = line.iter().rposition(|byte| *byte == b')')?;
    let mut fields = line.get(name_ends + 2..)?.split(|byte| *byte == b' ');
    let is_ended = matches!(fields.next()?, b"Z" | b"X" | b"x");
    // A process whose first thread has ended still runs its other threads.
    Some(!is_ended || number(fields.nth(16)?)? > 1)
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
            Ok(count) => is_alive(buffer.get(..count)?),
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
    fn a_line_is_read_as_for_a_termination() {
        let line = |name: &str, state: &str, threads: u32| {
            let zeros = "0 ".repeat(13);
            is_alive(format!("7 ({name}) {state} 1 5 5 {zeros}{threads} 0 99\n").as_bytes())
        };
        for name in ["sh", "a) Z 1 5 (b", "", ") (", "\n"] {
            assert_eq!(line(name, "S", 1), Some(true));
            assert_eq!(line(name, "Z", 1), Some(false));
            assert_eq!(line(name, "X", 0), Some(false));
            assert_eq!(line(name, "Z", 2), Some(true));
        }
        for line in ["", "7", "7 (x", "7 (x)", "7 (x) Z 1 5 5 0"] {
            assert_eq!(is_alive(line.as_bytes()), None);
        }
    }

    #[test]
    fn only_live_members_are_found() {
        let own = rustix::process::getpgrp().as_raw_nonzero().get();
        assert_eq!(is_any_alive(|group| group == own), Some(true));
        assert_eq!(is_any_alive(|group| group == 4_194_305), Some(false));
        assert_eq!(number(b"12x"), None);
        assert_eq!(number(b"99999999999"), None);
    }
}
