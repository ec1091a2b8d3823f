//! The socket of `sd_notify(3)`: its messages, and who may send them.

use std::io;

#[cfg(target_os = "linux")]
use crate::random::random;

/// A message that a program has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) is_ready: bool,
    /// The program's own words about its state.
    pub(super) status: Option<String>,
}

/// The most bytes of a message that count.
#[cfg(target_os = "linux")]
const MESSAGE_BYTES: usize = 4096;
/// The most bytes of a status that are kept.
const STATUS_BYTES: usize = 256;

impl Message {
    /// Reads a message. Fields that are not known are ignored, as the protocol demands.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux gives messages"))]
    fn parse(bytes: &[u8]) -> Self {
        let mut message = Self { is_ready: false, status: None };
        for line in String::from_utf8_lossy(bytes).lines() {
            match line.split_once('=') {
                Some(("READY", "1")) => message.is_ready = true,
                Some(("STATUS", text)) => message.status = Some(shown(text)),
                Some(("STOPPING", "1")) if message.status.is_none() => {
                    message.status = Some("stopping".to_owned());
                }
                Some(("RELOADING", "1")) if message.status.is_none() => {
                    message.status = Some("reloading".to_owned());
                }
                _ => {}
            }
        }
        message
    }
}

/// Returns a status that can be printed on one line.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        if shown.len() >= STATUS_BYTES {
            shown.push('…');
            break;
        }
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// A socket that one program notifies.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct NotifySocket {
    socket: std::os::unix::net::UnixDatagram,
    name: String,
}

#[cfg(target_os = "linux")]
impl NotifySocket {
    /// Opens a socket with a name of its own. The name is no file, so nothing is left behind.
    pub(super) fn open() -> io::Result<Self> {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixDatagram};

        let name = format!("procession/{:016x}{:016x}", random(), random());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        socket.set_nonblocking(true)?;
        rustix::net::sockopt::set_socket_passcred(&socket, true)?;
        Ok(Self { socket, name })
    }

    /// Returns the value of `NOTIFY_SOCKET`.
    pub(super) fn variable(&self) -> String {
        format!("@{}", self.name)
    }

    /// Takes the next message that the process `pid` has sent. Messages of others are discarded, and
    /// descriptors are closed.
    pub(super) fn receive(&self, pid: u32) -> Option<Message> {
        use std::mem::MaybeUninit;

        use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

        loop {
            let mut bytes = [0; MESSAGE_BYTES];
            let mut space =
                [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1), ScmRights(16))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut parts = [io::IoSliceMut::new(&mut bytes)];
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            let received = match recvmsg(&self.socket, &mut parts, &mut ancillary, flags) {
                Ok(received) => received.bytes,
                Err(rustix::io::Errno::INTR) => continue,
                // Empty, or not a socket any more, which cannot be.
                Err(_) => return None,
            };
            let mut sender = None;
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmCredentials(who) = message {
                    sender = u32::try_from(who.pid.as_raw_nonzero().get()).ok();
                }
            }
            drop(ancillary);
            if sender == Some(pid) {
                return Some(Message::parse(&bytes[..received]));
            }
        }
    }
}

#[cfg(target_os = "linux")]
impl std::os::fd::AsFd for NotifySocket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// There is none on this system: no kernel but Linux says who has sent a datagram, by this call.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct NotifySocket(std::os::unix::net::UnixDatagram);

#[cfg(not(target_os = "linux"))]
impl NotifySocket {
    pub(super) fn open() -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system does not name senders"))
    }

    pub(super) fn variable(&self) -> String {
        String::new()
    }

    pub(super) fn receive(&self, _: u32) -> Option<Message> {
        None
    }
}

#[cfg(not(target_os = "linux"))]
impl std::os::fd::AsFd for NotifySocket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (bool, Option<String>) {
        let Message { is_ready, status } = Message::parse(text.as_bytes());
        (is_ready, status)
    }

    #[test]
    fn messages_are_lines_of_fields_and_unknown_ones_are_ignored() {
        let status = |text: &str| Some(text.to_owned());
        assert_eq!(parsed("READY=1"), (true, None));
        assert_eq!(parsed("READY=0\nWATCHDOG=1\nnonsense\n=\n"), (false, None));
        assert_eq!(parsed("MAINPID=1\nREADY=1\nSTATUS=2 of 3\n"), (true, status("2 of 3")));
        assert_eq!(parsed("STOPPING=1"), (false, status("stopping")));
        assert_eq!(parsed("STATUS=bye\nSTOPPING=1"), (false, status("bye")));
        assert_eq!(parsed("RELOADING=1\nMONOTONIC_USEC=7"), (false, status("reloading")));
        assert_eq!(parsed(""), (false, None));
    }

    #[test]
    fn a_status_is_one_line_of_bounded_length() {
        let (_, status) = parsed("STATUS=\u{1b}[2J\ta");
        assert_eq!(status.unwrap(), "\\u{1b}[2J\\ta");
        let long = parsed(&format!("STATUS={}", "é".repeat(2000))).1.unwrap();
        assert!(long.len() <= STATUS_BYTES + 3 && long.ends_with("é…"));
        assert!(!Message::parse(b"READY=1\xff").is_ready);
    }
}
