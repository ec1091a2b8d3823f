//! The descriptor that ends the loop's wait. Other threads, wakers and signal handlers write to it.
//!
//! On Linux this is an edge-triggered eventfd, which is written and never read. Elsewhere it is a
//! level-triggered, nonblocking pipe, which the loop empties. The tests of the portable loop run
//! the pipe variant on Linux too.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use polling::PollMode;
use rustix::io::Errno;

/// The end for writing. All its methods are async-signal-safe.
#[derive(Debug)]
pub(crate) struct WakeFd {
    fd: OwnedFd,
}

impl WakeFd {
    /// Ends the present or the next wait.
    pub(crate) fn wake(&self) {
        // EAGAIN means a full pipe or counter, so a wake-up is already pending. No other error can
        // occur.
        rustix::io::write(&self.fd, &1_u64.to_ne_bytes()).ok();
    }
}

impl AsFd for WakeFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The end that is in the poller.
#[derive(Debug)]
pub(crate) enum WakeSource {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Eventfd(OwnedFd),
    Pipe(OwnedFd),
}

impl WakeSource {
    /// Makes the best mechanism that the system has.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn new() -> io::Result<(Self, WakeFd)> {
        use rustix::event::{EventfdFlags, eventfd};
        let polled = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // A duplicate, because others may write to it after the loop has closed its own.
        let fd = polled.try_clone()?;
        Ok((Self::Eventfd(polled), WakeFd { fd }))
    }

    /// Makes the best mechanism that the system has.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn new() -> io::Result<(Self, WakeFd)> {
        Self::portable()
    }

    /// Makes the mechanism that every system has.
    pub(crate) fn portable() -> io::Result<(Self, WakeFd)> {
        let (polled, fd) = nonblocking_pipe()?;
        Ok((Self::Pipe(polled), WakeFd { fd }))
    }

    pub(crate) fn mode(&self) -> PollMode {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Eventfd(_) => PollMode::Edge,
            Self::Pipe(_) => PollMode::Level,
        }
    }

    /// Called when the poller has reported this end.
    pub(crate) fn on_event(&self) {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Eventfd(_) => {}
            Self::Pipe(fd) => {
                let mut buffer = [0_u8; 256];
                while matches!(rustix::io::read(fd, &mut buffer), Ok(1..) | Err(Errno::INTR)) {}
            }
        }
    }
}

impl AsFd for WakeSource {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Eventfd(fd) => fd.as_fd(),
            Self::Pipe(fd) => fd.as_fd(),
        }
    }
}

#[cfg(not(target_vendor = "apple"))]
fn nonblocking_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::pipe::{PipeFlags, pipe_with};
    Ok(pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?)
}

#[cfg(target_vendor = "apple")]
fn nonblocking_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe()?;
    for fd in [&reader, &writer] {
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(fd, true)?;
    }
    Ok((reader, writer))
}
