//! Sockets: nonblocking, closed on exec, and their addresses.

use std::ffi::OsStr;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use procession_protocol::Address;
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix, SocketType, sockopt};

/// Creates a stream socket that is nonblocking and closed on exec.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn stream(family: AddressFamily) -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(family, SocketType::STREAM, flags(), None)?)
}

/// Creates a stream socket that is nonblocking and closed on exec.
///
/// This takes more than one step here: a child that another thread starts in between inherits the
/// socket.
#[cfg(target_vendor = "apple")]
pub(crate) fn stream(family: AddressFamily) -> io::Result<OwnedFd> {
    let fd = rustix::net::socket(family, SocketType::STREAM, None)?;
    prepare(&fd)?;
    Ok(fd)
}

/// Accepts one connection, nonblocking and closed on exec.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn accept(
    listener: BorrowedFd<'_>,
) -> rustix::io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    rustix::net::acceptfrom_with(listener, flags())
}

/// Accepts one connection, nonblocking and closed on exec. It takes more than one step, as in
/// `stream`.
#[cfg(target_vendor = "apple")]
pub(crate) fn accept(
    listener: BorrowedFd<'_>,
) -> rustix::io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    let (fd, peer) = rustix::net::acceptfrom(listener)?;
    prepare(&fd)?;
    Ok((fd, peer))
}

#[cfg(not(target_vendor = "apple"))]
fn flags() -> rustix::net::SocketFlags {
    rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK
}

/// Makes a descriptor nonblocking and closed on exec.
pub(crate) fn prepare(fd: &OwnedFd) -> rustix::io::Result<()> {
    rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(fd, true)
}

/// Makes the close of the socket reset the connection, which drops what the kernel still holds.
pub(crate) fn reset_on_close(fd: BorrowedFd<'_>) {
    // If the socket does not support this, it is closed without a reset.
    sockopt::set_socket_linger(fd, Some(Duration::ZERO)).ok();
}

/// Makes the kernel send small writes at once. The write queue gathers them already.
pub(crate) fn send_at_once(fd: impl AsFd) {
    // If this fails, the connection is slower, but usable.
    sockopt::set_tcp_nodelay(fd, true).ok();
}

/// Returns the local address.
pub(crate) fn host(fd: impl AsFd) -> Address {
    address(rustix::net::getsockname(fd).ok())
}

/// Converts an address of the kernel, which has none for an unnamed Unix socket.
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
