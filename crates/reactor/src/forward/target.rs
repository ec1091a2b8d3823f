//! The port of a target, whichever transport's it is.

use std::any::Any;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::forwarding::SinkPort;
use super::own_fd::OwnFd;
use crate::handle::Handle;

/// Returns the port that bytes are moved to: a descriptor becomes one, and a transport's is taken out of
/// its wrapping (`into_any`).
///
/// # Errors
///
/// As [`OwnFd::open`]; `Unsupported` for what no loop has: the port of a fake, or none.
pub fn sink_of(
    reactor: &Handle,
    target: Result<OwnedFd, Option<Box<dyn Any>>>,
) -> io::Result<Rc<dyn SinkPort>> {
    let port = match target {
        Ok(fd) => return Ok(OwnFd::open(reactor, fd)?),
        Err(port) => port.and_then(<dyn SinkPort>::from_any),
    };
    port.ok_or_else(|| {
        let why = "the target is not an input of a child, or a connection, of a reactor";
        io::Error::new(ErrorKind::Unsupported, why)
    })
}
