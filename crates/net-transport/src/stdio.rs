//! The program's own standard input and output as a stream.
//!
//! `O_NONBLOCK` belongs to a description, which others may share: the shell that started the
//! program, and its own `println!`. So pipes and terminals are opened once more where the system
//! can do that; else, and where nobody writes a pipe any more, the flag is set, and taken back at the
//! end.

use std::io::{self, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use procession_protocol::{Address, Protocol};
use procession_reactor::Handle;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::io::{Errno, ioctl_fionbio};

use crate::stream::{Ends, Stream};

/// A stream over standard input and output; calls nobody yet.
pub(crate) fn open(reactor: &Handle, protocol: Box<dyn Protocol>) -> io::Result<Rc<Stream>> {
    over(reactor, stdin().as_fd(), stdout().as_fd(), protocol)
}

fn over(
    reactor: &Handle,
    input: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
    protocol: Box<dyn Protocol>,
) -> io::Result<Rc<Stream>> {
    let mut restore = Restore(Vec::new());
    let input = restore.nonblocking(input, OFlags::RDONLY)?;
    let output = restore.nonblocking(output, OFlags::WRONLY)?;
    let restore = std::mem::take(&mut restore.0);
    let ends = Ends::Pair { input, output, restore };
    Stream::open(reactor, ends, Address::Other, Address::Other, protocol)
}

/// What was made nonblocking and is blocking again when this is dropped.
struct Restore(Vec<OwnedFd>);

impl Restore {
    /// A nonblocking descriptor for what `fd` refers to.
    fn nonblocking(&mut self, fd: BorrowedFd<'_>, access: OFlags) -> io::Result<OwnedFd> {
        let stat = fstat(fd)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            return Err(Errno::ISDIR.into());
        }
        let copy = fd.try_clone_to_owned()?;
        if kind == FileType::RegularFile {
            return Ok(copy); // never blocks, and has an offset that is to be shared
        }
        if may_reopen(&stat)
            && let Some(own) = reopen(fd, access)
            // After the opening: a writer that comes in between is one that it has seen.
            && !(access == OFlags::RDONLY && is_hung_up(fd))
        {
            return Ok(own);
        }
        if !fcntl_getfl(fd)?.contains(OFlags::NONBLOCK) {
            let kept = fd.try_clone_to_owned()?;
            ioctl_fionbio(&copy, true)?;
            self.0.push(kept);
        }
        Ok(copy)
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        for fd in &self.0 {
            // It was changed by the same call, which succeeded.
            ioctl_fionbio(fd, false).ok();
        }
    }
}

/// Tells whether opening it once more gives the same thing: pipes, and terminals but for the
/// masters, of which each opening makes a new one.
#[cfg(target_os = "linux")]
fn may_reopen(stat: &rustix::fs::Stat) -> bool {
    const CONSOLES: u32 = 4;
    const FIRST_PTY: u32 = 136;
    const LAST_PTY: u32 = 143;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo => true,
        FileType::CharacterDevice => {
            matches!(rustix::fs::major(stat.st_rdev), CONSOLES | FIRST_PTY..=LAST_PTY)
        }
        _ => false,
    }
}

#[cfg(not(target_os = "linux"))]
fn may_reopen(_: &rustix::fs::Stat) -> bool {
    false
}

/// `None` where it may not be opened: another user's, or a pipe that nobody reads.
fn reopen(fd: BorrowedFd<'_>, access: OFlags) -> Option<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    rustix::fs::open(path, flags, rustix::fs::Mode::empty()).ok()
}

/// Tells whether the last writer of a pipe is gone.
///
/// A FIFO that is opened to be read while nobody writes it never tells of that end, only of the next
/// writer's (`fifo(7)`; `fifo_open` in Linux): what was opened before has to be used.
fn is_hung_up(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
    // It fails for lack of memory: nothing is seen then.
    poll(&mut fds, Some(&Timespec::default())).ok();
    fds[0].revents().contains(PollFlags::HUP)
}

#[cfg(test)]
mod tests;
