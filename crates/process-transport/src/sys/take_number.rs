//! Makes descriptors that a program was started with its own.
#![expect(unsafe_code, reason = "a number becomes a descriptor")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Makes a descriptor that the program was started with close-on-exec.
///
/// # Errors
///
/// `EBADF` if the number is not open.
pub(crate) fn close_on_exec(number: i32) -> io::Result<()> {
    // SAFETY: F_SETFD takes a number, and any may be asked for.
    match unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes a descriptor that the program was started with.
///
/// The caller has seen that it is open, that the starter passed it to this process, and that nobody
/// took it before: `listen_fds` does so.
pub(crate) fn take(number: i32) -> OwnedFd {
    // SAFETY: the sentence above; a descriptor that was passed by number has no other owner.
    unsafe { OwnedFd::from_raw_fd(number) }
}
