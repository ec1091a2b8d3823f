//! The size of a pipe, which only Linux can change. process-transport makes the same call where no loop
//! runs (`spawned/growing_pipe.rs`), and the crate below both makes no system calls.

use std::os::fd::BorrowedFd;

/// Asks for another size, in bytes. Returns whether the system agreed. It refuses if `fd` is no
/// pipe.
#[cfg(target_os = "linux")]
pub(super) fn set_pipe_size(fd: BorrowedFd<'_>, bytes: usize) -> bool {
    rustix::pipe::fcntl_setpipe_size(fd, bytes).is_ok()
}

/// Returns false, because the size of pipes is fixed.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_pipe_size(_: BorrowedFd<'_>, _: usize) -> bool {
    false
}
