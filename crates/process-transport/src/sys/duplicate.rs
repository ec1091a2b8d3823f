//! Duplicates a descriptor that is known only by its number.
#![expect(unsafe_code, reason = "a number becomes a descriptor")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Duplicates the descriptor on a number of this process, close-on-exec and above the standard
/// streams.
///
/// # Errors
///
/// `EBADF` if the number is not open; `EMFILE`.
pub(crate) fn duplicate(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes a number, and any may be asked for.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}
