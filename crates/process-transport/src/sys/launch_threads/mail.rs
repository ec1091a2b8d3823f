//! Messages that carry descriptors from one table to another.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

use crate::sys::mailbox::CONTROL_WORDS;
use crate::sys::platform::above_stdio;

/// Sends messages.
#[derive(Debug)]
pub(crate) struct MailSender(OwnedFd);

/// Receives messages.
#[derive(Debug)]
pub(crate) struct MailReceiver(pub(super) OwnedFd);

/// One message.
#[derive(Debug)]
pub(crate) struct Message {
    /// The number that the sender gave it.
    pub(crate) id: u64,
    pub(crate) fds: Vec<OwnedFd>,
}

/// Makes both sides. The sender lies above the receiver, which takes the lowest number from 3 up.
pub(crate) fn mail() -> io::Result<(MailSender, MailReceiver)> {
    let (a, b) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let receiver = fcntl_dupfd_cloexec(&a, 3)?;
    let sender = fcntl_dupfd_cloexec(&b, receiver.as_raw_fd() + 1).map_err(|error| {
        // The first usable number is above the limit.
        if error == Errno::INVAL { Errno::MFILE } else { error }
    })?;
    Ok((MailSender(sender), MailReceiver(receiver)))
}

impl MailSender {
    pub(super) fn of(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Sends a message without waiting.
    pub(crate) fn send(&self, id: u64, fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let mut space = [MaybeUninit::<u8>::uninit(); CONTROL_WORDS * 8];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(Errno::TOOMANYREFS);
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        sendmsg(&self.0, &[IoSlice::new(&id.to_ne_bytes())], &mut control, flags).map(drop)
    }
}

impl AsFd for MailSender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl MailReceiver {
    /// Gives the descriptor away, for a poller; [`receive`] reads from it.
    pub(crate) fn into_fd(self) -> OwnedFd {
        self.0
    }
}

/// Receives a message without waiting; `None` if there is none, or nobody can send one any more.
/// Fewer descriptors arrive than were sent if the limit leaves no numbers for them.
pub(crate) fn receive(receiver: BorrowedFd<'_>) -> io::Result<Option<Message>> {
    let mut space = [MaybeUninit::<u8>::uninit(); CONTROL_WORDS * 8];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut id = [0; 8];
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let mut parts = [IoSliceMut::new(&mut id)];
    let received = match recvmsg(receiver, &mut parts, &mut control, flags) {
        Ok(received) => received,
        Err(Errno::AGAIN) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    if received.bytes != id.len() || received.flags.contains(ReturnFlags::TRUNC) {
        return Ok(None);
    }
    // On failure the message is one descriptor short, as for the same limit in the kernel.
    let fds = fds.into_iter().map_while(|fd| above_stdio(fd).ok()).collect();
    Ok(Some(Message { id: u64::from_ne_bytes(id), fds }))
}
