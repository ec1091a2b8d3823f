//! Differences between the systems that need only safe calls: making descriptors, pipe sizes.

use std::io;
#[cfg(feature = "reactor")]
use std::os::fd::BorrowedFd;
use std::os::fd::{AsRawFd, OwnedFd};

/// Makes a pipe with close-on-exec ends: first the read end, then the write end.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    let ends = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    #[cfg(target_vendor = "apple")]
    let ends = close_on_exec(rustix::pipe::pipe()?)?;
    Ok(ends)
}

/// Makes two connected Unix stream sockets, close-on-exec.
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

/// Sets close-on-exec. There is a gap in which another thread's child may inherit them: the system
/// has no better call.
#[cfg(target_vendor = "apple")]
fn close_on_exec(ends: (OwnedFd, OwnedFd)) -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::io::{FdFlags, fcntl_setfd};
    fcntl_setfd(&ends.0, FdFlags::CLOEXEC)?;
    fcntl_setfd(&ends.1, FdFlags::CLOEXEC)?;
    Ok(ends)
}

/// Opens the master of a new pseudo-terminal, close-on-exec, and not as our controlling terminal.
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

/// Opens the slave through its master, if the kernel can (Linux 4.13). This needs no /dev/pts in
/// this mount namespace.
#[cfg(target_os = "linux")]
pub(crate) fn open_slave(master: &OwnedFd) -> io::Result<OwnedFd> {
    use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    Ok(ioctl_tiocgptpeer(master, flags)?)
}

/// Fails: this system can open a slave only by name.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open_slave(_: &OwnedFd) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns the path of the slave of this master.
#[cfg(not(target_os = "netbsd"))]
pub(crate) fn slave_name(master: &OwnedFd) -> io::Result<std::ffi::CString> {
    Ok(rustix::pty::ptsname(master, Vec::new())?)
}
#[cfg(target_os = "netbsd")]
pub(crate) use super::slave_name;

/// Returns the capacity of a pipe, in bytes.
#[cfg(all(feature = "reactor", target_os = "linux"))]
pub(crate) fn pipe_size(fd: BorrowedFd<'_>) -> Option<usize> {
    rustix::pipe::fcntl_getpipe_size(fd).ok()
}

/// Returns `None`, because pipes have a fixed size here.
#[cfg(all(feature = "reactor", not(target_os = "linux")))]
pub(crate) fn pipe_size(_: BorrowedFd<'_>) -> Option<usize> {
    None
}

/// Moves a descriptor above 0, 1 and 2: if these are closed in this process, it would be taken for
/// one of them.
pub(crate) fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?)
}

/// Makes a pipe with close-on-exec ends above the standard streams: first the read end, then the
/// write end.
pub(crate) fn pipe_above_stdio() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe()?;
    Ok((above_stdio(read)?, above_stdio(write)?))
}
