//! The pipes of one child: which are open, which are to be drained, and which were cut off and are named
//! in the exit reason.

use std::mem;

use crate::reason::with_held_fds;
use crate::reason::with_stopped_fds;
use crate::{ChildFd, ExitReason};

#[derive(Debug)]
pub(super) struct Pipes {
    /// The open pipes, each number once.
    open: Vec<Pipe>,
    /// `Some` once a pipe was cut off. Boxed, because few children have one.
    cut_off: Option<Box<CutOff>>,
}

/// Pipes that were closed before they ended by themselves.
#[derive(Debug, Default)]
struct CutOff {
    /// The pipes that were drained while a process held them, in order.
    held: Vec<ChildFd>,
    /// The pipes that were open when the loop stopped, in order, each number once.
    stopped: Vec<ChildFd>,
}

#[derive(Debug)]
struct Pipe {
    fd: ChildFd,
    /// The child writes no more.
    read_closed: bool,
    paused: bool,
    /// The pipe is due from `poll_drain`: the deadline has passed.
    drain: bool,
}

impl Pipes {
    /// Creates the set; a number that occurs twice counts once.
    pub(super) fn new(fds: impl IntoIterator<Item = ChildFd>) -> Self {
        let fds = fds.into_iter();
        let mut open: Vec<Pipe> = Vec::with_capacity(fds.size_hint().0);
        for fd in fds {
            if !open.iter().any(|pipe| pipe.fd == fd) {
                open.push(Pipe { fd, read_closed: false, paused: false, drain: false });
            }
        }
        Self { open, cut_off: None }
    }

    /// Notes that the child writes no more, and returns whether that is new.
    pub(super) fn close_reading(&mut self, fd: ChildFd) -> bool {
        self.pipe(fd).is_some_and(|pipe| !mem::replace(&mut pipe.read_closed, true))
    }

    /// Notes that a pipe is closed, and returns whether that is new.
    pub(super) fn close(&mut self, fd: ChildFd) -> bool {
        let index = self.open.iter().position(|pipe| pipe.fd == fd);
        index.map(|index| self.open.remove(index)).is_some()
    }

    pub(super) fn set_paused(&mut self, fd: ChildFd, paused: bool) {
        if let Some(pipe) = self.pipe(fd) {
            pipe.paused = paused;
        }
    }

    /// Marks every open pipe to be drained.
    pub(super) fn drain_all(&mut self) {
        for pipe in &mut self.open {
            pipe.drain = true;
        }
    }

    /// Takes the next pipe to drain, and notes that it is held.
    pub(super) fn poll_drain(&mut self) -> Option<ChildFd> {
        let pipe = self.open.iter_mut().find(|pipe| pipe.drain && !pipe.paused)?;
        pipe.drain = false;
        self.cut_off.get_or_insert_default().held.push(pipe.fd);
        Some(pipe.fd)
    }

    #[inline]
    pub(super) fn has_drain(&self) -> bool {
        self.open.iter().any(|pipe| pipe.drain && !pipe.paused)
    }

    /// Notes that no process held a drained pipe.
    pub(super) fn clear_held(&mut self, fd: ChildFd) {
        if self.is_open(fd)
            && let Some(cut_off) = &mut self.cut_off
        {
            cut_off.held.retain(|held| *held != fd);
        }
    }

    /// Notes that the stop of the loop closes the open pipes.
    pub(super) fn stop(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let stopped = &mut self.cut_off.get_or_insert_default().stopped;
        for pipe in &self.open {
            if !stopped.contains(&pipe.fd) {
                stopped.push(pipe.fd);
            }
        }
    }

    /// Returns whether a pipe was closed before it ended by itself.
    pub(super) fn has_cut_off(&self) -> bool {
        self.cut_off.is_some()
    }

    /// Adds the pipes that were cut off to the exit reason.
    pub(super) fn name_cut_off(&mut self, reason: ExitReason) -> ExitReason {
        let Some(cut_off) = self.cut_off.take() else { return reason };
        with_stopped_fds(with_held_fds(reason, cut_off.held), cut_off.stopped)
    }

    #[inline]
    pub(super) fn is_open(&self, fd: ChildFd) -> bool {
        self.open.iter().any(|pipe| pipe.fd == fd)
    }

    /// Returns whether the child may still write to this pipe.
    #[inline]
    pub(super) fn is_readable(&self, fd: ChildFd) -> bool {
        self.open.iter().any(|pipe| pipe.fd == fd && !pipe.read_closed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn fds(&self) -> impl Iterator<Item = ChildFd> {
        self.open.iter().map(|pipe| pipe.fd)
    }

    fn pipe(&mut self, fd: ChildFd) -> Option<&mut Pipe> {
        self.open.iter_mut().find(|pipe| pipe.fd == fd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: ChildFd = ChildFd::STDOUT;

    #[test]
    fn a_number_counts_once_and_a_fact_is_new_once() {
        let mut pipes = Pipes::new([OUT, OUT]);
        assert_eq!(pipes.fds().collect::<Vec<_>>(), [OUT]);
        assert!(pipes.is_readable(OUT) && pipes.close_reading(OUT));
        assert!(!pipes.is_readable(OUT) && !pipes.close_reading(OUT));
        assert!(pipes.is_open(OUT) && pipes.close(OUT));
        assert!(!pipes.is_open(OUT) && !pipes.close(OUT) && pipes.is_empty());
    }
}
