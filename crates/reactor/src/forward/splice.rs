//! The system call that moves bytes from one descriptor to another. Only Linux has it.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

/// Moves bytes without looking at them. Fails with `INVAL` if these two descriptors cannot be
/// spliced.
#[cfg(target_os = "linux")]
pub(super) fn splice(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    most: usize,
) -> Result<usize, Errno> {
    use rustix::pipe::SpliceFlags;
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    rustix::io::retry_on_intr(|| rustix::pipe::splice(from, None, to, None, most, flags))
}

/// Fails with `INVAL`, because the system has no such call.
#[cfg(not(target_os = "linux"))]
pub(super) fn splice(_: BorrowedFd<'_>, _: BorrowedFd<'_>, _: usize) -> Result<usize, Errno> {
    Err(Errno::INVAL)
}
