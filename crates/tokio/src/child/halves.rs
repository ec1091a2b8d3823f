//! Ends with two directions: sockets and terminals. Each direction becomes a stream of its own, on a
//! duplicate of the descriptor, because a poller watches a descriptor once.

use std::io;
use std::os::fd::OwnedFd;

use procession_core::driver::Direction;
use procession_protocol::ChildFd;
use rustix::net::{Shutdown, shutdown};

use crate::ends::End;

/// The directions that were not taken.
#[derive(Debug, Default)]
pub(super) struct Halves(Vec<Half>);

#[derive(Debug)]
struct Half {
    number: ChildFd,
    direction: Direction,
    end: End,
}

impl Halves {
    /// Takes a direction.
    pub(super) fn take(&mut self, number: ChildFd, direction: Direction) -> Option<End> {
        let is_it = |half: &Half| half.number == number && half.direction == direction;
        let index = self.0.iter().position(is_it)?;
        Some(self.0.swap_remove(index).end)
    }

    /// Keeps one direction of a socket, and returns the other one.
    pub(super) fn split(
        &mut self,
        number: ChildFd,
        socket: OwnedFd,
        taken: Direction,
    ) -> io::Result<End> {
        let kept = if taken == Direction::Read { Direction::Write } else { Direction::Read };
        let end = End::half(socket.try_clone()?, true);
        self.0.push(Half { number, direction: kept, end: End::half(socket, true) });
        Ok(end)
    }

    /// Keeps one direction of a terminal.
    pub(super) fn keep_terminal(
        &mut self,
        number: ChildFd,
        master: &OwnedFd,
        direction: Direction,
    ) -> io::Result<()> {
        let end = End::half(master.try_clone()?, false);
        self.0.push(Half { number, direction, end });
        Ok(())
    }

    /// Closes the writing half of the sockets whose writer was not taken. A terminal stays open.
    pub(super) fn close_inputs(&mut self) {
        self.0.retain(|half| {
            let closes = half.direction == Direction::Write && half.end.is_socket;
            if closes {
                shutdown(&half.end.fd, Shutdown::Write).ok(); // its peer may be gone
            }
            !closes
        });
    }
}
