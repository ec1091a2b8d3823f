//! The size of a pipe, which Linux alone can change.

use std::os::fd::BorrowedFd;

/// Asks for another size, in bytes; false where the system refuses, or it is no pipe.
#[cfg(target_os = "linux")]
pub(super) fn set_pipe_size(fd: BorrowedFd<'_>, bytes: usize) -> bool {
    rustix::pipe::fcntl_setpipe_size(fd, bytes).is_ok()
}

/// Pipes have one size.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_pipe_size(_: BorrowedFd<'_>, _: usize) -> bool {
    false
}
