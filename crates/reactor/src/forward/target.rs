//! Makes a sink port of any transport's target.

use std::any::Any;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::forwarding::SinkPort;
use crate::handle::Handle;

impl dyn SinkPort {
    /// Returns the port of a target. A descriptor becomes a port. A transport's own port is taken
    /// out of its box (`into_any`).
    ///
    /// # Errors
    ///
    /// As `<dyn SinkPort>::of_fd`. `Unsupported` if there is no port, or if it belongs to a fake.
    pub fn of_target(
        reactor: &Handle,
        target: Result<OwnedFd, Option<Box<dyn Any>>>,
    ) -> io::Result<Rc<Self>> {
        let port = match target {
            Ok(fd) => return Self::of_fd(reactor, fd),
            Err(port) => port.and_then(Self::from_any),
        };
        port.ok_or_else(|| {
            let why = "the target is not an input of a child, or a connection, of a reactor";
            io::Error::new(ErrorKind::Unsupported, why)
        })
    }
}
