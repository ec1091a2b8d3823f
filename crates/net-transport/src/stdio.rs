//! The program's own standard input and output as a stream.
//!
//! `O_NONBLOCK` is a flag of the open file description, which others may share: the shell that
//! started the program, and the program's own `println!`. Therefore pipes and terminals are opened
//! again if the system supports it. Otherwise, and if a pipe has no writer any more, the flag is
//! set, and cleared at the end.

use std::io::{self, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use procession_protocol::{Address, Protocol};
use procession_reactor::Handle;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::io::{Errno, ioctl_fionbio};

use crate::stream::{Stream, StreamFds};

/// Opens a stream over standard input and output. No callback is called yet.
pub(crate) fn open(reactor: &Handle, protocol: Box<dyn Protocol>) -> io::Result<Rc<Stream>> {
    over(reactor, stdin().as_fd(), stdout().as_fd(), protocol)
}

/// Opens a stream over these descriptors. No callback is called yet.
pub(crate) fn over(
    reactor: &Handle,
    input: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
    protocol: Box<dyn Protocol>,
) -> io::Result<Rc<Stream>> {
    let mut restore = RestoreBlocking(Vec::new());
    let input = restore.nonblocking(input, OFlags::RDONLY)?;
    let output = restore.nonblocking(output, OFlags::WRONLY)?;
    let restore = std::mem::take(&mut restore.0);
    let ends = StreamFds::Pair { input, output, restore };
    Stream::open(reactor, ends, Address::Other, Address::Other, protocol)
}

/// Descriptors that were made nonblocking. Dropping this makes them blocking again.
struct RestoreBlocking(Vec<OwnedFd>);

impl RestoreBlocking {
    /// Returns a nonblocking descriptor of the file that `fd` refers to.
    fn nonblocking(&mut self, fd: BorrowedFd<'_>, access: OFlags) -> io::Result<OwnedFd> {
        let stat = fstat(fd)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            return Err(Errno::ISDIR.into());
        }
        let has = fcntl_getfl(fd)? & OFlags::ACCMODE;
        if has != OFlags::RDWR && has != access {
            let why =
                if access == OFlags::RDONLY { "it cannot be read" } else { "it cannot be written" };
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let copy = fd.try_clone_to_owned()?;
        if kind == FileType::RegularFile {
            return Ok(copy); // it never blocks, and its offset must stay shared
        }
        if may_reopen(&stat)
            && let Some(own) = reopen(fd, access)
            // Check this after the open: the new description sees a writer that opened the pipe in
            // between.
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

impl Drop for RestoreBlocking {
    fn drop(&mut self) {
        for fd in &self.0 {
            // The same call succeeded when it set the flag.
            ioctl_fionbio(fd, false).ok();
        }
    }
}

/// Returns whether opening the file again gives the same object. That is so for pipes, and for
/// terminals except the masters: each open of a master makes a new one.
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

/// Returns `None` if the file may not be opened: it belongs to another user, or is a pipe without a
/// reader.
fn reopen(fd: BorrowedFd<'_>, access: OFlags) -> Option<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    rustix::fs::open(path, flags, rustix::fs::Mode::empty()).ok()
}

/// Returns whether a pipe has no writer any more.
///
/// A FIFO that is opened for reading while it has no writer never reports that end. It reports only
/// the end of the next writer (`fifo(7)`; `fifo_open` in Linux). In that case the original
/// descriptor must be used.
fn is_hung_up(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
    // A lack of memory makes this fail. Then no event is set.
    poll(&mut fds, Some(&Timespec::default())).ok();
    fds[0].revents().contains(PollFlags::HUP)
}

#[cfg(test)]
mod tests;
