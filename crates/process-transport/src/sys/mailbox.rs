//! How a child that shares its parent's descriptor table until it has left it gets its descriptors:
//! by mail.
//!
//! One socketpair a spawning thread. The receiver lies on a low number, the cut: the child's table
//! keeps what lies below it and the receiver, which the child empties before it receives. The sender
//! lies above the receiver, so that a child can tell whether its table is its own: there the sender
//! is gone. Nothing in the parent is ever replaced or closed, so none of its POSIX locks is lost.

use rustix::io::Errno;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType, recv, sendmsg, socketpair,
};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// The most descriptors that one message carries (SCM_MAX_FD in the kernel).
pub(super) const MAX_FDS: usize = 253;

/// Room for `MAX_FDS` descriptors and their header, in words of eight bytes.
pub(super) const CONTROL_WORDS: usize = 2 + MAX_FDS.div_ceil(2);

/// Where `receiver` lies above this, a copied table costs no more than a shared one.
const HIGHEST_RECEIVER: i32 = 256;

/// The two ends.
#[derive(Debug)]
pub(super) struct Mailbox {
    receiver: OwnedFd,
    sender: OwnedFd,
}

impl Mailbox {
    /// Makes the pair; the receiver takes the lowest free number from 3 up.
    pub(super) fn new() -> io::Result<Self> {
        let (a, b) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let receiver = fcntl_dupfd_cloexec(&a, 3)?;
        let sender = fcntl_dupfd_cloexec(&b, receiver.as_raw_fd() + 1).map_err(|error| {
            // The first number that would do is one too many.
            if error == Errno::INVAL { Errno::MFILE } else { error }
        })?;
        Ok(Self { receiver, sender })
    }

    /// Whether the receiver still goes at an exec: false once somebody took that flag away.
    pub(super) fn is_close_on_exec(&self) -> bool {
        fcntl_getfd(&self.receiver).is_ok_and(|flags| flags.contains(FdFlags::CLOEXEC))
    }

    /// Whether the cut is low enough for the shared table to be the cheaper one.
    pub(super) fn is_low(&self) -> bool {
        self.receiver.as_raw_fd() <= HIGHEST_RECEIVER
    }

    pub(super) fn receiver(&self) -> i32 {
        self.receiver.as_raw_fd()
    }

    pub(super) fn sender(&self) -> i32 {
        self.sender.as_raw_fd()
    }

    /// Puts `fds` into the box, for the next child.
    pub(super) fn send(&self, fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let mut space = [MaybeUninit::<u8>::uninit(); CONTROL_WORDS * 8];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(Errno::TOOMANYREFS);
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match sendmsg(&self.sender, &[IoSlice::new(b"x")], &mut control, flags) {
            Ok(1) => Ok(()),
            Ok(_) => Err(Errno::MSGSIZE),
            Err(error) => Err(error),
        }
    }

    /// Drops what no child took, so that the next one gets only its own.
    ///
    /// Without a control buffer: the descriptors are never installed here, so no close of ours drops
    /// a POSIX lock.
    pub(super) fn drain(&self) {
        let mut byte = [0_u8; 1];
        while recv(&self.receiver, &mut byte, RecvFlags::DONTWAIT).is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use super::Mailbox;
    use rustix::io::fcntl_getfd;
    use std::os::fd::AsFd;

    #[test]
    fn mail_that_nobody_took_is_gone_after_a_drain() {
        let mailbox = Mailbox::new().unwrap();
        assert!(mailbox.receiver() < mailbox.sender());
        let file = std::fs::File::open("/dev/null").unwrap();
        mailbox.send(&[file.as_fd(), file.as_fd()]).unwrap();
        mailbox.send(&[file.as_fd()]).unwrap();
        mailbox.drain();
        let mut byte = [0_u8; 1];
        let empty = rustix::net::recv(&mailbox.receiver, &mut byte, super::RecvFlags::DONTWAIT);
        assert_eq!(empty.err(), Some(rustix::io::Errno::AGAIN));
        fcntl_getfd(&file).unwrap();
    }
}
