//! Attempts to connect, without blocking.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use procession_core::{Deferred, NoError};
use procession_reactor::{Handle, Interest, Registration};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix, SocketType, sockopt};

use super::mark::FileMark;

/// The first pause between attempts, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(250)];
/// How long one attempt may take. On this machine it takes no time.
const ATTEMPT: Duration = Duration::from_secs(1);

/// What is tried again and again.
#[derive(Debug, Clone)]
pub(super) enum Probe {
    Tcp(Vec<SocketAddr>),
    Unix(PathBuf),
    /// The file, and what was there before the start.
    File(PathBuf, FileMark),
}

impl Probe {
    /// Tries until it succeeds.
    pub(super) async fn until_success(self, reactor: Handle) {
        let [mut pause, most] = PAUSES;
        while !self.succeeds(&reactor).await {
            reactor.sleep(pause).await;
            pause = most.min(pause * 2);
        }
    }

    /// Tries once.
    pub(super) async fn succeeds(&self, reactor: &Handle) -> bool {
        match self {
            Self::Tcp(addresses) => {
                for address in addresses {
                    if accepts(reactor, tcp(*address)).await {
                        return true;
                    }
                }
                false
            }
            Self::Unix(path) => accepts(reactor, unix(path)).await,
            Self::File(path, before) => before.has_appeared(path),
        }
    }
}

/// A connection that was begun.
enum Attempt {
    Connected(OwnedFd),
    UnderWay(OwnedFd),
    Refused,
}

fn tcp(address: SocketAddr) -> io::Result<Attempt> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = stream(family)?;
    Ok(attempt(rustix::net::connect(&socket, &address), socket))
}

fn unix(path: &Path) -> io::Result<Attempt> {
    let address = SocketAddrUnix::new(path)?;
    let socket = stream(AddressFamily::UNIX)?;
    Ok(attempt(rustix::net::connect(&socket, &address), socket))
}

fn attempt(result: rustix::io::Result<()>, socket: OwnedFd) -> Attempt {
    match result {
        Ok(()) => Attempt::Connected(socket),
        Err(Errno::INPROGRESS) => Attempt::UnderWay(socket),
        Err(_) => Attempt::Refused,
    }
}

/// Creates a stream socket that is nonblocking and closed on exec.
#[cfg(not(target_vendor = "apple"))]
fn stream(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(family, SocketType::STREAM, flags, None)?)
}

/// Creates a stream socket that is nonblocking and closed on exec, in more than one step.
#[cfg(target_vendor = "apple")]
fn stream(family: AddressFamily) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::ioctl_fioclex(&socket)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Returns whether somebody accepts. A lack of sockets, as a refusal, is no reason to give up.
async fn accepts(reactor: &Handle, attempt: io::Result<Attempt>) -> bool {
    let socket = match attempt {
        Ok(Attempt::Connected(socket)) => return !is_to_itself(&socket),
        Ok(Attempt::UnderWay(socket)) => socket,
        Ok(Attempt::Refused) | Err(_) => return false,
    };
    let (promise, connected) = Deferred::<bool, NoError>::new();
    let watch = reactor.register(socket, Interest::WRITABLE, move |socket, _| {
        let is_connected = matches!(sockopt::socket_error(&**socket), Ok(Ok(())));
        let accepts = is_connected && !is_to_itself(&**socket);
        socket.close();
        // A second report finds it complete.
        promise.try_complete(Ok(accepts)).ok();
    });
    let Ok(watch) = watch else { return false };
    let _closing = CloseOnDrop(watch);
    connected.timeout_on(ATTEMPT, reactor).await.unwrap_or(false)
}

/// The attempt ends with the future that waits for it.
struct CloseOnDrop(Registration);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Returns whether a socket is connected to itself: the kernel may choose the port that nobody listens on
/// as the port of the caller, and then the two ends are one (simultaneous open, RFC 9293).
fn is_to_itself(socket: impl AsFd) -> bool {
    let here = rustix::net::getsockname(&socket).ok();
    let there = rustix::net::getpeername(&socket).ok().flatten();
    let is_inet = |address: &SocketAddrAny| SocketAddr::try_from(address.clone()).is_ok();
    here.as_ref().is_some_and(is_inet) && here == there
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn a_socket_that_is_connected_to_itself_is_nobody() {
        let socket = stream(AddressFamily::INET).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = rustix::net::getsockname(&socket).unwrap();
        // With one end, the connection needs no partner that accepts.
        rustix::net::connect(&socket, &address).ok();
        assert!(is_to_itself(&socket));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let real = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(!is_to_itself(&real));
    }
}
