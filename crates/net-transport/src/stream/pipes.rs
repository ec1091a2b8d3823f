//! The descriptors of one connection: a socket, or separate ones for input and output. Each method
//! is one action, and makes no decisions.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use procession_core::WriteError;
use procession_core::driver::{Direction, Spent, WriteQueue};
use procession_protocol::driver::ConnectionLifecycle;
use procession_reactor::driver::{EventHandler, Pipe, PipeReady, ReadEvent};
use procession_reactor::{Handle, Readiness};
use rustix::net::{Shutdown, shutdown, sockopt};

use crate::socket;

/// The token of the source that is read. For a socket it is also the source that is written.
const INPUT: u32 = 0;
/// The token of a separate output.
const OUTPUT: u32 = 1;

/// The descriptors that a stream is opened with.
pub(crate) enum StreamFds {
    Socket(OwnedFd),
    /// `restore` are made blocking again at the end.
    Pair {
        input: OwnedFd,
        output: OwnedFd,
        restore: Vec<OwnedFd>,
    },
}

impl StreamFds {
    /// Starts the life of a connection that is made of this.
    pub(super) fn lifecycle(&self) -> ConnectionLifecycle {
        match self {
            Self::Socket(_) => ConnectionLifecycle::of_socket(),
            Self::Pair { .. } => ConnectionLifecycle::of_pair(),
        }
    }
}

/// The descriptors of one connection, registered with the loop.
#[derive(Default)]
pub(super) struct Pipes {
    /// The descriptor that is read; a socket is also written here. `None` once it is closed.
    input: Option<Pipe>,
    /// The descriptor that is written, if it is a separate one. `None` once it is closed. Boxed,
    /// because sockets have none.
    output: Option<Box<Pipe>>,
    /// One descriptor serves both directions.
    is_socket: bool,
    /// Descriptors to make blocking again at the end.
    restore: Vec<OwnedFd>,
}

impl Pipes {
    /// Registers the nonblocking descriptors with the loop. If that fails, they are closed, and
    /// made blocking again.
    pub(super) fn open(
        reactor: &Handle,
        ends: StreamFds,
        handler: &Rc<impl EventHandler + 'static>,
    ) -> io::Result<Self> {
        let mut pipes = Self::default();
        let opened = pipes.open_all(reactor, ends, handler);
        if let Err(error) = opened {
            drop(pipes.close(reactor)); // nothing was written
            return Err(error);
        }
        Ok(pipes)
    }

    fn open_all(
        &mut self,
        reactor: &Handle,
        ends: StreamFds,
        handler: &Rc<impl EventHandler + 'static>,
    ) -> io::Result<()> {
        let open = |fd, direction, token| {
            Pipe::open(reactor, fd, direction, handler.clone(), token).map_err(io::Error::from)
        };
        match ends {
            StreamFds::Socket(fd) => {
                self.is_socket = true;
                self.input = Some(open(fd, Direction::Both, INPUT)?);
            }
            StreamFds::Pair { input, output, restore } => {
                self.restore = restore;
                self.input = Some(open(input, Direction::Read, INPUT)?);
                self.output = Some(Box::new(open(output, Direction::Write, OUTPUT)?));
            }
        }
        Ok(())
    }

    /// Returns the descriptor of an open socket.
    pub(super) fn socket(&self) -> Option<&Pipe> {
        self.input.as_ref().filter(|_| self.is_socket)
    }

    pub(super) fn is_socket(&self) -> bool {
        self.is_socket
    }

    /// Returns whether the input can be read at any time. No event reports such an input.
    pub(super) fn is_always_ready(&self) -> bool {
        self.input.as_ref().is_some_and(Pipe::is_always_ready)
    }

    #[inline]
    pub(super) fn reader(&mut self) -> Option<&mut Pipe> {
        self.input.as_mut().filter(|pipe| pipe.is_reading())
    }

    #[inline]
    pub(super) fn writer(&mut self) -> Option<&mut Pipe> {
        let pipe = if self.is_socket { self.input.as_mut() } else { self.output.as_deref_mut() };
        pipe.filter(|pipe| pipe.is_writing())
    }

    #[inline]
    pub(super) fn queue(&mut self) -> Result<&mut WriteQueue, WriteError> {
        self.writer().and_then(Pipe::queue).ok_or(WriteError::Closed)
    }

    /// Returns what an event of the source with this token means.
    #[inline]
    pub(super) fn on_ready(&mut self, reactor: &Handle, token: u32, seen: Readiness) -> PipeReady {
        let pipe = if token == OUTPUT { self.output.as_deref_mut() } else { self.input.as_mut() };
        pipe.map_or_else(PipeReady::default, |pipe| pipe.on_ready(reactor, seen))
    }

    /// Ends the reading. A socket ends this direction; a separate input is closed.
    pub(super) fn end_reading(&mut self, reactor: &Handle, spent: &mut Spent) {
        if !self.is_socket {
            return spent
                .extend(self.input.take().into_iter().flat_map(|pipe| pipe.close(reactor)));
        }
        if let Some(pipe) = &mut self.input {
            pipe.end_reading(reactor);
        }
    }

    /// Ends the writing, and leaves the descriptor to the reader.
    pub(super) fn end_writing(&mut self, reactor: &Handle, spent: &mut Spent) {
        if let Some(pipe) = self.writer() {
            spent.extend(pipe.end_writing(reactor));
        }
    }

    /// Ends the writing, and makes the peer see the end.
    pub(super) fn shut_down(&mut self, reactor: &Handle, spent: &mut Spent) {
        if let Some(pipe) = self.writer() {
            // If it is not a socket, or not connected any more, the peer sees nothing.
            reactor.io().with_fd(pipe.key(), |fd| shutdown(fd, Shutdown::Write)).map(Result::ok);
        }
        self.end_writing(reactor, spent);
        spent.extend(self.output.take().into_iter().flat_map(|pipe| pipe.close(reactor)));
    }

    /// Reads what has arrived, up to the budget of one turn, and drops it.
    pub(super) fn discard(&mut self, reactor: &Handle) {
        let Some(pipe) = self.reader() else { return };
        let mut budget = Pipe::READ_BUDGET_BYTES;
        while budget > 0 {
            let ReadEvent::Data(data) = pipe.read(reactor) else { return };
            budget = budget.saturating_sub(data.len());
        }
    }

    /// Makes the close reset the connection.
    pub(super) fn reset_on_close(&self, reactor: &Handle) {
        if let Some(pipe) = self.socket() {
            reactor.io().with_fd(pipe.key(), socket::reset_on_close);
        }
    }

    /// Returns the kernel's error for a connection that is gone in both directions.
    pub(super) fn reason(&self, reactor: &Handle) -> io::Result<()> {
        let asked = self
            .socket()
            .and_then(|pipe| reactor.io().with_fd(pipe.key(), |fd| sockopt::socket_error(fd)));
        match asked {
            Some(Ok(Err(error))) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Closes every descriptor.
    pub(super) fn close(&mut self, reactor: &Handle) -> Spent {
        let mut spent = Spent::new();
        let output = self.output.take().map(|pipe| *pipe);
        for pipe in [self.input.take(), output].into_iter().flatten() {
            spent.extend(pipe.close(reactor));
        }
        for fd in self.restore.drain(..) {
            // The same call succeeded when it set the flag.
            rustix::io::ioctl_fionbio(&fd, false).ok();
        }
        spent
    }

    /// Makes the socket blocking again.
    pub(super) fn make_blocking(&self, reactor: &Handle) -> io::Result<()> {
        let pipe = self.socket().ok_or(ErrorKind::NotConnected)?;
        match reactor.io().with_fd(pipe.key(), |fd| rustix::io::ioctl_fionbio(fd, false)) {
            Some(Err(error)) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Takes the socket out of the loop.
    pub(super) fn take_fd(&self, reactor: &Handle) -> Option<OwnedFd> {
        reactor.io().take_fd(self.socket()?.key())
    }
}
