//! A pipe that ends with the exec, which tells the parent of a child with copied memory about it if
//! the clone does not wait.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec, read};

use super::outcome::PassedFd;
use super::{platform, raw};

/// The two ends. The child has the writing end until its exec; nobody ever writes.
pub(super) struct Confirmation {
    started: OwnedFd,
    running: OwnedFd,
}

impl Confirmation {
    /// Makes the pipe. The writing end gets a number that is neither a target nor used by others in
    /// the parent: the child keeps the end on that number.
    pub(super) fn new(passed: &[PassedFd<'_>]) -> io::Result<Self> {
        let (started, running) = platform::pipe_above_stdio()?;
        let is_target = |fd: &OwnedFd| passed.iter().any(|one| one.target == fd.as_raw_fd());
        let running = if is_target(&running) {
            let highest = passed.iter().map(|one| one.target).max().unwrap_or(2);
            fcntl_dupfd_cloexec(&running, highest.saturating_add(1)).map_err(|error| {
                // The first usable number is above the limit.
                if error == Errno::INVAL { Errno::MFILE } else { error }
            })?
        } else {
            running
        };
        Ok(Self { started, running })
    }

    /// Returns the end that the child keeps until its exec.
    pub(super) fn kept(&self) -> PassedFd<'_> {
        let source = self.running.as_fd();
        PassedFd { source, target: source.as_raw_fd(), until_exec: true }
    }

    /// Waits until the child has executed its program, or has ended: in the latter case, copies of
    /// the pipe in other processes, such as another thread's child or one of a closure, do not
    /// delay this.
    ///
    /// # Errors
    ///
    /// A filter refuses to close this process's own writing end, for which the wait would then last
    /// for ever.
    pub(super) fn wait(self, pidfd: Option<BorrowedFd<'_>>) -> Result<(), i32> {
        raw::close(self.running.into_raw_fd())?;
        let mut fds: Vec<PollFd<'_>> = vec![PollFd::new(&self.started, PollFlags::IN)];
        fds.extend(pidfd.as_ref().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        if rustix::io::retry_on_intr(|| poll(&mut fds, None)).is_err() {
            // No memory, or a filter. Nobody writes, so a read returns when the pipe has ended. If
            // the read is refused as well, there is no way to know.
            rustix::io::retry_on_intr(|| read(&self.started, &mut [0_u8; 1])).ok();
        }
        Ok(())
    }
}
