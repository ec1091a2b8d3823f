//! The descriptors of one connection: a socket, or an input and an output apart. Each method is one
//! act, and decides nothing.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use procession_core::WriteError;
use procession_core::driver::{Spent, WriteQueue};
use procession_protocol::driver::ConnectionLifecycle;
use procession_reactor::pipe::{Direction, Pipe, PipeReady, READ_BUDGET_BYTES, ReadEvent};
use procession_reactor::{EventHandler, Handle, Readiness};
use rustix::net::{Shutdown, shutdown, sockopt};

use crate::socket;

/// The token of the source that is read; of a socket also the one that is written.
const INPUT: u32 = 0;
/// The token of an output apart.
const OUTPUT: u32 = 1;

/// What a stream is made of.
pub(crate) enum Ends {
    Socket(OwnedFd),
    /// `restore` are made blocking again at the end.
    Pair {
        input: OwnedFd,
        output: OwnedFd,
        restore: Vec<OwnedFd>,
    },
}

impl Ends {
    /// Starts the life of a connection that is made of this.
    pub(super) fn lifecycle(&self) -> ConnectionLifecycle {
        match self {
            Self::Socket(_) => ConnectionLifecycle::of_socket(),
            Self::Pair { .. } => ConnectionLifecycle::of_pair(),
        }
    }
}

/// The descriptors of one connection, as the loop has them.
#[derive(Default)]
pub(super) struct Pipes {
    /// What is read; a socket is written here too. `None` once it is closed.
    input: Option<Pipe>,
    /// What is written, where that is another descriptor. `None` once it is closed.
    output: Option<Pipe>,
    /// One descriptor for both directions.
    is_socket: bool,
    /// Made blocking again at the end.
    restore: Vec<OwnedFd>,
}

impl Pipes {
    /// Gives the descriptors, which are nonblocking, to the loop. After a failure what was opened is
    /// closed, and made blocking again.
    pub(super) fn open(
        reactor: &Handle,
        ends: Ends,
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
        ends: Ends,
        handler: &Rc<impl EventHandler + 'static>,
    ) -> io::Result<()> {
        let open = |fd, direction, token| {
            Pipe::open(reactor, fd, direction, handler.clone(), token).map_err(io::Error::from)
        };
        match ends {
            Ends::Socket(fd) => {
                self.is_socket = true;
                self.input = Some(open(fd, Direction::Both, INPUT)?);
            }
            Ends::Pair { input, output, restore } => {
                self.restore = restore;
                self.input = Some(open(input, Direction::Read, INPUT)?);
                self.output = Some(open(output, Direction::Write, OUTPUT)?);
            }
        }
        Ok(())
    }

    /// The one descriptor of a socket that is open.
    pub(super) fn socket(&self) -> Option<&Pipe> {
        self.input.as_ref().filter(|_| self.is_socket)
    }

    pub(super) fn is_socket(&self) -> bool {
        self.is_socket
    }

    /// Returns whether the input can be read at any time, of which no event tells.
    pub(super) fn is_always_ready(&self) -> bool {
        self.input.as_ref().is_some_and(Pipe::is_always_ready)
    }

    #[inline]
    pub(super) fn reader(&mut self) -> Option<&mut Pipe> {
        self.input.as_mut().filter(|pipe| pipe.is_reading())
    }

    #[inline]
    pub(super) fn writer(&mut self) -> Option<&mut Pipe> {
        let pipe = if self.is_socket { &mut self.input } else { &mut self.output };
        pipe.as_mut().filter(|pipe| pipe.is_writing())
    }

    #[inline]
    pub(super) fn queue(&mut self) -> Result<&mut WriteQueue, WriteError> {
        self.writer().and_then(Pipe::queue).ok_or(WriteError::Closed)
    }

    /// Says what an event of the source with this token means.
    #[inline]
    pub(super) fn on_ready(&mut self, reactor: &Handle, token: u32, seen: Readiness) -> PipeReady {
        let pipe = if token == OUTPUT { &mut self.output } else { &mut self.input };
        pipe.as_mut().map_or_else(PipeReady::default, |pipe| pipe.on_ready(reactor, seen))
    }

    /// Ends the reading: of a socket the direction, else the descriptor.
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

    /// Ends the writing, and has the peer see the end.
    pub(super) fn shut_down(&mut self, reactor: &Handle, spent: &mut Spent) {
        if let Some(pipe) = self.writer() {
            // Not connected any more, or no socket: the peer has nothing to see.
            reactor.with_fd(pipe.key(), |fd| shutdown(fd, Shutdown::Write)).map(Result::ok);
        }
        self.end_writing(reactor, spent);
        spent.extend(self.output.take().into_iter().flat_map(|pipe| pipe.close(reactor)));
    }

    /// Reads what has arrived, up to the share of a turn, and drops it.
    pub(super) fn discard(&mut self, reactor: &Handle) {
        let Some(pipe) = self.reader() else { return };
        let mut budget = READ_BUDGET_BYTES;
        while budget > 0 {
            let ReadEvent::Data(data) = pipe.read(reactor) else { return };
            budget = budget.saturating_sub(data.len());
        }
    }

    /// Has the close reset the connection.
    pub(super) fn reset_on_close(&self, reactor: &Handle) {
        if let Some(pipe) = self.socket() {
            reactor.with_fd(pipe.key(), socket::reset_on_close);
        }
    }

    /// What the kernel says of a connection that has gone in both directions.
    pub(super) fn reason(&self, reactor: &Handle) -> io::Result<()> {
        let asked = self
            .socket()
            .and_then(|pipe| reactor.with_fd(pipe.key(), |fd| sockopt::socket_error(fd)));
        match asked {
            Some(Ok(Err(error))) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Closes every descriptor.
    pub(super) fn close(&mut self, reactor: &Handle) -> Spent {
        let mut spent = Spent::new();
        for pipe in [self.input.take(), self.output.take()].into_iter().flatten() {
            spent.extend(pipe.close(reactor));
        }
        for fd in self.restore.drain(..) {
            // It was changed by the same call, which succeeded.
            rustix::io::ioctl_fionbio(&fd, false).ok();
        }
        spent
    }

    /// Makes the socket blocking again.
    pub(super) fn make_blocking(&self, reactor: &Handle) -> io::Result<()> {
        let pipe = self.socket().ok_or(ErrorKind::NotConnected)?;
        match reactor.with_fd(pipe.key(), |fd| rustix::io::ioctl_fionbio(fd, false)) {
            Some(Err(error)) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Takes the socket out of the loop.
    pub(super) fn take_fd(&self, reactor: &Handle) -> Option<OwnedFd> {
        reactor.take_fd(self.socket()?.key())
    }
}
