//! The parent's ends of a child, and its terminal.
//!
//! A terminal is the child's 0 to 2 and has one end, the master, at child fd 1. Writes to 0 go to
//! it; 1 and 2 cannot be written.

use procession_core::WriteError;
use procession_core::driver::Direction;
use procession_protocol::ChildFd;
use procession_reactor::Handle;
use procession_reactor::driver::Pipe;

use super::end::End;
use super::leftovers::Leftovers;
use crate::launch::{ParentEnd, Terminal, take_in};

/// The ends of one child.
pub(crate) struct Ends {
    /// Nearly every child has only a handful.
    list: Vec<End>,
    has_terminal: bool,
    /// Kept until the child is reaped.
    terminal: Option<Box<Terminal>>,
    first_loss: FirstLoss,
}

/// Whether an end was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstLoss {
    No,
    Now,
    Past,
}

impl Ends {
    /// Creates the ends of a child that will have `count` ends in the loop, and has none yet.
    pub(crate) fn new(terminal: Option<Box<Terminal>>, count: usize) -> Self {
        Self {
            list: Vec::with_capacity(count),
            has_terminal: terminal.is_some(),
            terminal: terminal.filter(|terminal| terminal.slave.is_some()),
            first_loss: FirstLoss::No,
        }
    }

    pub(crate) fn add(&mut self, fd: ChildFd, direction: Direction, pipe: Pipe) {
        let is_terminal = self.is_terminal(fd);
        self.list.push(End::new(fd, direction, is_terminal, pipe));
    }

    /// Takes everything out of the loop again; `left` are the ends that the loop did not get. Ends
    /// that are not open are added to `taken`.
    pub(crate) fn give_back(
        &mut self,
        reactor: &Handle,
        left: Vec<ParentEnd>,
        taken: &mut Vec<ChildFd>,
    ) -> (Vec<ParentEnd>, Option<Box<Terminal>>) {
        let mut ends = Vec::with_capacity(self.list.len() + left.len());
        for end in &mut self.list {
            match end.take(reactor) {
                Some(end) => ends.push(end),
                None => taken.push(end.fd()),
            }
        }
        ends.extend(left);
        (ends, self.terminal.take())
    }

    /// Discards what the child writes to an output from now on; returns false if `fd` is no output,
    /// or is forwarded.
    pub(crate) fn throw_away(
        &mut self,
        reactor: &Handle,
        fd: ChildFd,
        left: &mut Leftovers,
    ) -> bool {
        let output = self.get(fd).filter(|end| end.direction() == Direction::Read);
        let output = output.filter(|end| end.forward().is_none());
        output.is_some_and(|end| end.throw_away(reactor, left))
    }

    /// Takes the open outputs out of the loop.
    pub(crate) fn take_outputs(&mut self, reactor: &Handle) -> Vec<ParentEnd> {
        let outputs = self.list.iter_mut().filter(|end| end.direction() == Direction::Read);
        outputs.filter_map(|end| end.take(reactor)).collect()
    }

    /// Notes that the loop has taken every end, so a caller's terminal keeps its new settings. Returns
    /// whether one is written.
    pub(crate) fn on_registered(&mut self) -> bool {
        if let Some(terminal) = &mut self.terminal {
            terminal.before.forget();
        }
        self.list.iter().any(|end| end.direction() != Direction::Read)
    }

    /// Closes the slave of a reaped child; the master then ends after what the terminal still
    /// holds.
    pub(crate) fn close_slave(&mut self) {
        if let Some(slave) = self.terminal.take().and_then(|terminal| terminal.slave) {
            take_in(&slave);
        }
    }

    /// Drops the terminal, because the loop is gone.
    pub(crate) fn drop_terminal(&mut self) {
        self.terminal = None;
    }

    pub(crate) fn has_terminal(&self) -> bool {
        self.has_terminal
    }

    /// Returns whether the child has its terminal on `fd`.
    pub(crate) fn is_terminal(&self, fd: ChildFd) -> bool {
        self.has_terminal && fd <= ChildFd::STDERR
    }

    /// Returns the end of one child fd, open or closed.
    #[inline]
    pub(crate) fn get(&mut self, fd: ChildFd) -> Option<&mut End> {
        self.list.iter_mut().find(|end| end.fd() == fd)
    }

    /// Returns the master of the child's terminal.
    pub(crate) fn master(&mut self) -> Option<&mut End> {
        if self.has_terminal { self.get(ChildFd::STDOUT) } else { None }
    }

    /// Returns the end that a write to `fd` goes to.
    #[inline]
    pub(crate) fn writable(&mut self, fd: ChildFd) -> Result<&mut End, WriteError> {
        let fd = match fd {
            ChildFd::STDIN if self.has_terminal => ChildFd::STDOUT,
            ChildFd::STDOUT | ChildFd::STDERR if self.has_terminal => {
                return Err(WriteError::NotWritable);
            }
            fd => fd,
        };
        let end = self.get(fd).ok_or(WriteError::UnknownFd)?;
        if end.direction() == Direction::Read { Err(WriteError::NotWritable) } else { Ok(end) }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, End> {
        self.list.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, End> {
        self.list.iter_mut()
    }

    /// Returns all ends but the first `count`.
    pub(crate) fn after(&mut self, count: usize) -> std::slice::IterMut<'_, End> {
        self.list.get_mut(count..).unwrap_or_default().iter_mut()
    }

    pub(crate) fn fds(&self) -> Vec<ChildFd> {
        self.list.iter().map(End::fd).collect()
    }

    /// Records that an end was lost.
    pub(crate) fn on_loss(&mut self) {
        if self.first_loss == FirstLoss::No {
            self.first_loss = FirstLoss::Now;
        }
    }

    /// Returns true once: after the first loss.
    #[inline]
    pub(crate) fn take_first_loss(&mut self) -> bool {
        let is_now = self.first_loss == FirstLoss::Now;
        if is_now {
            self.first_loss = FirstLoss::Past;
        }
        is_now
    }
}
