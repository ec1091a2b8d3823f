//! Listeners and connections over descriptors that somebody else has opened.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;

use procession_protocol::{Address, Factory, Protocol};
use procession_reactor::Handle;
use rustix::io::Errno;
use rustix::net::{SocketType, getpeername, sockopt};

use crate::error::ListenError;
use crate::listener::Listener;
use crate::stream::{Stream, StreamFds};
use crate::{socket, stdio};

/// Listens on a socket.
pub(crate) fn listener(
    reactor: &Handle,
    fd: OwnedFd,
    factory: Box<dyn Factory>,
) -> Result<Listener, ListenError> {
    let name = format!("descriptor {}", fd.as_raw_fd());
    let is_stream =
        sockopt::socket_type(&fd).map_err(io::Error::from).and_then(|kind| match kind {
            SocketType::STREAM => Ok(()),
            _ => Err(invalid("it is no stream socket")),
        });
    let is_bound = || match socket::host(&fd) {
        Address::Tcp(address) if address.port() == 0 => Err(invalid("it is not bound")),
        _ => Ok(()),
    };
    is_stream
        .and_then(|()| is_bound())
        .and_then(|()| Ok(socket::prepare(&fd)?))
        .and_then(|()| Listener::start(reactor, fd, None, factory))
        .map_err(|error| ListenError::new(name, error))
}

/// Opens a connection over a connected socket, or over another descriptor. No callback is called yet.
pub(crate) fn stream(
    reactor: &Handle,
    fd: OwnedFd,
    protocol: Box<dyn Protocol>,
) -> io::Result<Rc<Stream>> {
    match sockopt::socket_type(&fd) {
        Ok(SocketType::STREAM) => {}
        Ok(_) => return Err(invalid("it is no stream socket")),
        Err(Errno::NOTSOCK) => return stdio::over(reactor, fd.as_fd(), fd.as_fd(), protocol),
        Err(error) => return Err(error.into()),
    }
    let peer = match getpeername(&fd) {
        Ok(peer) => socket::address(peer),
        Err(Errno::NOTCONN) => return Err(invalid("it is not connected")),
        Err(error) => return Err(error.into()),
    };
    socket::prepare(&fd)?;
    let host = socket::host(&fd);
    if matches!(host, Address::Tcp(_)) {
        socket::send_at_once(&fd);
    }
    Stream::open(reactor, StreamFds::Socket(fd), peer, host, protocol)
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
