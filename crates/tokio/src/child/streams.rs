//! The streams of a child: those in its fields, and those of any number.

use std::io;

use procession_core::driver::Direction;
use procession_process_transport::TakeError;
use procession_process_transport::driver::LoopSpawned;
use procession_protocol::ChildFd;

use super::Child;
use crate::ends::{ChildReader, ChildWriter, End};

impl Child {
    /// Fills the fields; what is not there is `None`.
    pub(super) fn take_streams(&mut self) -> io::Result<()> {
        self.take_terminal()?;
        self.stdin = if_there(self.take_writer(ChildFd::STDIN))?;
        self.stdout = if_there(self.take_reader(ChildFd::STDOUT))?;
        self.stderr = if_there(self.take_reader(ChildFd::STDERR))?;
        Ok(())
    }

    /// Hands out the stream of what the child writes to `fd`, any number.
    ///
    /// An end with two directions, a socketpair's, is handed out once as a reader and once as a
    /// writer.
    ///
    /// # Errors
    ///
    /// [`TakeError`]: the parent does not read `fd`, or the stream was taken before.
    pub fn take_reader(&mut self, fd: impl Into<ChildFd>) -> Result<ChildReader, TakeError> {
        let fd = fd.into();
        let kept = match fd {
            ChildFd::STDOUT => self.stdout.take(),
            ChildFd::STDERR => self.stderr.take(),
            _ => None,
        };
        match kept {
            Some(reader) => Ok(reader),
            None => Ok(ChildReader::new(self.take(fd, Direction::Read)?)),
        }
    }

    /// Hands out the stream of what the child reads from `fd`, any number.
    ///
    /// # Errors
    ///
    /// [`TakeError`]: the parent does not write `fd`, or the stream was taken or closed before.
    pub fn take_writer(&mut self, fd: impl Into<ChildFd>) -> Result<ChildWriter, TakeError> {
        let fd = fd.into();
        match self.stdin.take_if(|_| fd == ChildFd::STDIN) {
            Some(writer) => Ok(writer),
            None => Ok(ChildWriter::new(self.take(fd, Direction::Write)?)),
        }
    }

    /// Makes one direction of an end.
    fn take(&mut self, fd: ChildFd, direction: Direction) -> Result<End, TakeError> {
        if let Some(half) = self.halves.take(fd, direction) {
            return Ok(half);
        }
        let spawned = self.running.spawned_mut();
        let (end, has) = spawned.take_end(fd, direction)?;
        if has == Direction::Both {
            return self.halves.split(fd, end, direction).map_err(|error| TakeError::Os(fd, error));
        }
        Ok(End { fd: end, direction, grows: spawned.pipes_grow(), is_socket: false })
    }

    /// Keeps the master of the child's terminal. The child's input goes to it by the name of 0.
    fn take_terminal(&mut self) -> io::Result<()> {
        let spawned = self.running.spawned_mut();
        if !spawned.has_terminal() {
            return Ok(());
        }
        // Another owner may have taken it.
        let Some((master, _)) = if_there(spawned.take_end(ChildFd::STDOUT, Direction::Both))?
        else {
            return Ok(());
        };
        self.halves.keep_terminal(ChildFd::STDIN, &master, Direction::Write)?;
        self.halves.keep_terminal(ChildFd::STDOUT, &master, Direction::Read)?;
        self.terminal = Some(master);
        Ok(())
    }

    /// Closes the inputs that were not taken, but no terminal's.
    pub(super) fn close_inputs(&mut self) {
        let spawned = self.running.spawned_mut();
        spawned.close_untaken_inputs();
        self.halves.close_inputs();
        if self.terminal.is_none() {
            self.stdin = None;
        }
    }
}

/// Returns `None` for an end that the parent does not have.
fn if_there<T>(taken: Result<T, TakeError>) -> io::Result<Option<T>> {
    match taken {
        Ok(end) => Ok(Some(end)),
        Err(TakeError::Os(_, error)) => Err(error),
        Err(_) => Ok(None),
    }
}
