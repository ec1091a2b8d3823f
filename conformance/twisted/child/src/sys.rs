//! The system calls of the child, on descriptors by their numbers.
//!
//! # Audit
//!
//! - `read`, `write`: the buffer is a slice, whose length is passed.
//! - `close`: this program owns no descriptor as a value, so no owner is left with a closed one.
//! - `fork`: the program has one thread, so the copy may do everything.
//! - `signal`, `raise`: the disposition is one of the kernel's own.
#![expect(unsafe_code, reason = "see the audit above")]

use std::io;

fn checked(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn read(fd: i32, into: &mut [u8]) -> io::Result<usize> {
    // SAFETY: see the audit.
    checked(unsafe { libc::read(fd, into.as_mut_ptr().cast(), into.len()) })
}

pub(crate) fn write(fd: i32, from: &[u8]) -> io::Result<usize> {
    // SAFETY: see the audit.
    checked(unsafe { libc::write(fd, from.as_ptr().cast(), from.len()) })
}

pub(crate) fn close(fd: i32) {
    // SAFETY: see the audit.
    unsafe { libc::close(fd) };
}

/// Returns true in the new process.
pub(crate) fn fork() -> bool {
    // SAFETY: see the audit.
    unsafe { libc::fork() == 0 }
}

pub(crate) fn ignore_broken_pipes() {
    // SAFETY: see the audit.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

pub(crate) fn raise(signal: i32) {
    // SAFETY: see the audit.
    unsafe { libc::raise(signal) };
}

pub(crate) fn default_broken_pipes() {
    // SAFETY: see the audit.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
