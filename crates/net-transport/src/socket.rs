//! Sockets as the kernel has them: nonblocking, closed on exec, and their addresses.

use std::ffi::OsStr;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use procession_protocol::Address;
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix, SocketType, sockopt};

/// Makes a stream socket, nonblocking and closed on exec.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn stream(family: AddressFamily) -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(family, SocketType::STREAM, flags(), None)?)
}

/// Makes a stream socket, nonblocking and closed on exec.
///
/// Not in one step here: a child that another thread starts in between inherits it.
#[cfg(target_vendor = "apple")]
pub(crate) fn stream(family: AddressFamily) -> io::Result<OwnedFd> {
    prepared(rustix::net::socket(family, SocketType::STREAM, None)?)
}

/// Accepts one connection, nonblocking and closed on exec.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn accept(
    listener: BorrowedFd<'_>,
) -> rustix::io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    rustix::net::acceptfrom_with(listener, flags())
}

/// Accepts one connection, nonblocking and closed on exec; in more than one step, as in `stream`.
#[cfg(target_vendor = "apple")]
pub(crate) fn accept(
    listener: BorrowedFd<'_>,
) -> rustix::io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    let (fd, peer) = rustix::net::acceptfrom(listener)?;
    rustix::io::ioctl_fioclex(&fd)?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok((fd, peer))
}

#[cfg(not(target_vendor = "apple"))]
fn flags() -> rustix::net::SocketFlags {
    rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK
}

#[cfg(target_vendor = "apple")]
fn prepared(fd: OwnedFd) -> io::Result<OwnedFd> {
    rustix::io::ioctl_fioclex(&fd)?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok(fd)
}

/// Tells the socket to close with a reset, dropping what the kernel still holds.
pub(crate) fn reset_on_close(fd: BorrowedFd<'_>) {
    // Not a socket that knows it: then the close alone has to do.
    sockopt::set_socket_linger(fd, Some(Duration::ZERO)).ok();
}

/// Has small writes sent at once: the queue gathers them already, so waiting for more is in vain.
pub(crate) fn send_at_once(fd: impl AsFd) {
    // A slower connection is no reason to have none.
    sockopt::set_tcp_nodelay(fd, true).ok();
}

/// This side's address.
pub(crate) fn host(fd: impl AsFd) -> Address {
    address(rustix::net::getsockname(fd).ok())
}

/// As programs see it; the kernel gives none for a Unix socket without a name.
pub(crate) fn address(address: Option<SocketAddrAny>) -> Address {
    let Some(address) = address else { return Address::Unix(None) };
    match address.address_family() {
        AddressFamily::UNIX => {
            Address::Unix(SocketAddrUnix::try_from(address).ok().and_then(|unix| path(&unix)))
        }
        _ => SocketAddr::try_from(address).map_or(Address::Other, Address::Tcp),
    }
}

fn path(address: &SocketAddrUnix) -> Option<PathBuf> {
    let path = address.path()?;
    Some(PathBuf::from(OsStr::from_bytes(path.to_bytes())))
}
