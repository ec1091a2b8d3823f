//! Passes descriptors over a socketpair to a child that first leaves its parent's descriptor table.
//!
//! Each spawning thread has one socketpair. The receiver lies on a low number, the cut: the child's
//! table keeps only the numbers up to and including it, and the child closes those below before it
//! receives. The sender lies above the receiver. It is gone in a table of the child's own, which
//! tells the child that its table is not shared. Nothing in the parent is ever replaced or closed,
//! so the parent loses none of its POSIX locks.
//!
//! A program may close numbers that it does not know, as a daemon does after its fork, and open
//! files on them. So each end is identified by its inode: if the number has become another file,
//! the end is forgotten, and neither used nor closed.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use rustix::fs::fstat;
use rustix::io::Errno;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType, recv, sendmsg, socketpair,
};

use super::one_thread::has_one_thread;
use super::table::KEPT;

/// The most descriptors that one message carries (SCM_MAX_FD in the kernel).
pub(super) const MAX_FDS: usize = 253;

/// Room for `MAX_FDS` descriptors and their header, in words of eight bytes.
pub(super) const CONTROL_WORDS: usize = 2 + MAX_FDS.div_ceil(2);

/// If `receiver` lies above this, a copied table costs no more than a shared one.
const HIGHEST_RECEIVER: i32 = 256;

/// The two ends.
#[derive(Debug)]
pub(super) struct Mailbox {
    receiver: SocketEnd,
    sender: SocketEnd,
}

/// One socket of the pair.
#[derive(Debug)]
struct SocketEnd {
    /// `None` only during the drop.
    fd: Option<OwnedFd>,
    number: i32,
    /// Device and inode, which no other file has as long as this socket lives.
    identity: (u64, u64),
}

impl SocketEnd {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        let (number, identity) = (fd.as_raw_fd(), identity(&fd)?);
        Ok(Self { fd: Some(fd), number, identity })
    }

    /// Returns the socket, if its number still leads to it.
    fn socket(&self) -> Result<&OwnedFd, Errno> {
        let fd = self.fd.as_ref().ok_or(Errno::BADF)?;
        if identity(fd)? == self.identity { Ok(fd) } else { Err(Errno::BADF) }
    }
}

impl Drop for SocketEnd {
    fn drop(&mut self) {
        if self.socket().is_err() {
            // Other code has closed it, and the number may belong to another owner.
            let _number = self.fd.take().map(IntoRawFd::into_raw_fd);
        }
    }
}

/// Returns device and inode of an open file.
pub(super) fn identity(fd: impl AsFd) -> Result<(u64, u64), Errno> {
    let stat = fstat(fd)?;
    Ok((stat.st_dev, stat.st_ino))
}

impl Mailbox {
    /// Makes the pair; the receiver takes the lowest free number from 3 up. In a program with one thread
    /// the sender lies above the numbers that a child keeps which gets its descriptors by their numbers.
    pub(super) fn new() -> io::Result<Self> {
        let (a, b) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let receiver = fcntl_dupfd_cloexec(&a, 3)?;
        let least = receiver.as_raw_fd() + 1;
        // With several threads, the kernel would stand still while it enlarges a table for this number.
        let high = if has_one_thread() { least.max(KEPT) } else { least };
        let sender = fcntl_dupfd_cloexec(&b, high);
        let sender = sender.or_else(|_| fcntl_dupfd_cloexec(&b, least)).map_err(|error| {
            // The first usable number is above the limit.
            if error == Errno::INVAL { Errno::MFILE } else { error }
        })?;
        Ok(Self { receiver: SocketEnd::new(receiver)?, sender: SocketEnd::new(sender)? })
    }

    /// Returns whether the sender is still the same socket and the receiver still closes at an
    /// exec; false once other code has closed the one or cleared the flag of the other. Whether the
    /// receiver is still there shows in the send, which fails without it.
    pub(super) fn is_whole(&self) -> bool {
        let Some(receiver) = &self.receiver.fd else { return false };
        self.sender.socket().is_ok()
            && fcntl_getfd(receiver).is_ok_and(|flags| flags.contains(FdFlags::CLOEXEC))
    }

    /// Returns whether the cut is low enough for a shared table to be cheaper.
    pub(super) fn is_low(&self) -> bool {
        self.receiver.number <= HIGHEST_RECEIVER
    }

    pub(super) fn receiver(&self) -> i32 {
        self.receiver.number
    }

    pub(super) fn sender(&self) -> i32 {
        self.sender.number
    }

    /// Puts `fds` into the mailbox, for the next child.
    pub(super) fn send(&self, fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let mut space = [MaybeUninit::<u8>::uninit(); CONTROL_WORDS * 8];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(Errno::TOOMANYREFS);
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let sender = self.sender.fd.as_ref().ok_or(Errno::BADF)?;
        match sendmsg(sender, &[IoSlice::new(b"x")], &mut control, flags) {
            Ok(1) => Ok(()),
            Ok(_) => Err(Errno::MSGSIZE),
            Err(error) => Err(error),
        }
    }

    /// Discards the mail that no child took, so that the next child gets only its own.
    ///
    /// It receives without a control buffer, so the descriptors are never installed here, and no
    /// close of ours drops a POSIX lock.
    pub(super) fn drain(&self) {
        let mut byte = [0_u8; 1];
        let Ok(receiver) = self.receiver.socket() else { return };
        while recv(receiver, &mut byte, RecvFlags::DONTWAIT).is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::io::fcntl_getfd;

    use super::Mailbox;

    #[test]
    fn a_drain_discards_mail_that_no_child_took() {
        let mailbox = Mailbox::new().unwrap();
        assert!(mailbox.receiver() < mailbox.sender());
        let file = std::fs::File::open("/dev/null").unwrap();
        mailbox.send(&[file.as_fd(), file.as_fd()]).unwrap();
        mailbox.send(&[file.as_fd()]).unwrap();
        mailbox.drain();
        let mut byte = [0_u8; 1];
        let receiver = mailbox.receiver.socket().unwrap();
        let empty = rustix::net::recv(receiver, &mut byte, super::RecvFlags::DONTWAIT);
        assert_eq!(empty.err(), Some(rustix::io::Errno::AGAIN));
        fcntl_getfd(&file).unwrap();
    }
}
