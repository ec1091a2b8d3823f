//! What the systems do differently, where safe calls exist: making descriptors, pipe sizes.

use std::io;
#[cfg(feature = "reactor")]
use std::os::fd::BorrowedFd;
use std::os::fd::{AsRawFd, OwnedFd};

/// A pipe whose ends are close-on-exec: read, then write.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    let ends = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    #[cfg(target_vendor = "apple")]
    let ends = close_on_exec(rustix::pipe::pipe()?)?;
    Ok(ends)
}

/// Two Unix stream sockets, connected and close-on-exec.
pub(crate) fn socketpair() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    #[cfg(not(target_vendor = "apple"))]
    let flags = SocketFlags::CLOEXEC;
    #[cfg(target_vendor = "apple")]
    let flags = SocketFlags::empty();
    let pair = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    #[cfg(target_vendor = "apple")]
    let pair = close_on_exec(pair)?;
    Ok(pair)
}

/// There is a gap in which another thread's child may inherit them: the system has no better call.
#[cfg(target_vendor = "apple")]
fn close_on_exec(ends: (OwnedFd, OwnedFd)) -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::io::{FdFlags, fcntl_setfd};
    fcntl_setfd(&ends.0, FdFlags::CLOEXEC)?;
    fcntl_setfd(&ends.1, FdFlags::CLOEXEC)?;
    Ok(ends)
}

/// The master of a new pseudo-terminal, close-on-exec, and not ours as a controlling terminal.
pub(crate) fn open_master() -> io::Result<OwnedFd> {
    use rustix::pty::{OpenptFlags, openpt};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    #[cfg(any(target_os = "linux", target_os = "freebsd", target_os = "netbsd"))]
    let master = openpt(flags | OpenptFlags::CLOEXEC)?;
    #[cfg(not(any(target_os = "linux", target_os = "freebsd", target_os = "netbsd")))]
    let master = {
        let master = openpt(flags)?;
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC)?;
        master
    };
    Ok(master)
}

/// The slave by its master, where the kernel can (Linux 4.13): it needs no /dev/pts in this mount
/// namespace.
#[cfg(target_os = "linux")]
pub(crate) fn open_slave(master: &OwnedFd) -> io::Result<OwnedFd> {
    use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    Ok(ioctl_tiocgptpeer(master, flags)?)
}

/// There is only the way by name.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open_slave(_: &OwnedFd) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The path of the slave of this master.
#[cfg(not(target_os = "netbsd"))]
pub(crate) fn slave_name(master: &OwnedFd) -> io::Result<std::ffi::CString> {
    Ok(rustix::pty::ptsname(master, Vec::new())?)
}
#[cfg(target_os = "netbsd")]
pub(crate) use super::slave_name;

/// The bytes that a pipe holds when it is full.
#[cfg(all(feature = "reactor", target_os = "linux"))]
pub(crate) fn pipe_size(fd: BorrowedFd<'_>) -> Option<usize> {
    rustix::pipe::fcntl_getpipe_size(fd).ok()
}

/// Pipes have one size.
#[cfg(all(feature = "reactor", not(target_os = "linux")))]
pub(crate) fn pipe_size(_: BorrowedFd<'_>) -> Option<usize> {
    None
}

/// Where 0, 1 or 2 are closed in this process, what is made here must not be taken for them.
pub(crate) fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?)
}

/// A pipe whose ends are close-on-exec and above the standard streams: read, then write.
pub(crate) fn pipe_above_stdio() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe()?;
    Ok((above_stdio(read)?, above_stdio(write)?))
}
