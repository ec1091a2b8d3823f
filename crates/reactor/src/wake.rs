//! What other threads, wakers and signal handlers write to, so that the loop's wait ends.
//!
//! On Linux this is an edge-triggered eventfd, which is written and never read. Elsewhere it is a
//! nonblocking pipe, level-triggered, which the loop empties; this variant runs on Linux too, in
//! the tests of the portable loop.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use polling::PollMode;
use rustix::io::Errno;

/// The end that is written to. All of it is async-signal-safe.
#[derive(Debug)]
pub(crate) struct WakeFd {
    fd: OwnedFd,
}

impl WakeFd {
    /// Ends the present or the next wait.
    pub(crate) fn wake(&self) {
        // EAGAIN, a full pipe or counter, is a pending wake-up already; nothing else can happen.
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
    /// The best that the system has.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn new() -> io::Result<(Self, WakeFd)> {
        use rustix::event::{EventfdFlags, eventfd};
        let polled = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // A descriptor of its own: it is written by whoever holds it last, the loop's is closed
        // with the loop.
        let fd = polled.try_clone()?;
        Ok((Self::Eventfd(polled), WakeFd { fd }))
    }

    /// The best that the system has.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn new() -> io::Result<(Self, WakeFd)> {
        Self::portable()
    }

    /// What every system has.
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

    /// Called when the poller reported it.
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
