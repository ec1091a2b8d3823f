//! One descriptor of a fake child: the queue of written data, and the data that the child sent.

use std::collections::VecDeque;

use bytes::Bytes;
use procession_core::WriteError;
use procession_core::driver::{Spent, WriteQueue};

use super::output::FakeOutput;
use crate::ChildFd;
use crate::lifecycle::Lifecycle;

/// The kind of pipe of a fake child's descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FakeFd {
    /// The parent writes, the child reads (Twisted's "w").
    ToChild,
    /// The child writes, the parent reads (Twisted's "r").
    FromChild,
    /// Both read and write.
    Socketpair,
}

impl FakeFd {
    fn is_writable(self) -> bool {
        matches!(self, Self::ToChild | Self::Socketpair)
    }

    fn is_readable(self) -> bool {
        matches!(self, Self::FromChild | Self::Socketpair)
    }
}

/// The state of the child's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ChildEnd {
    Open,
    /// The child writes no more (only socketpairs).
    ShutDown,
    /// No process reads or writes any more.
    Closed,
}

/// The close that the parent has requested for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ParentEnd {
    Open,
    /// Ends the writing direction, once the queue is flushed (only socketpairs).
    ShutDown,
    /// Closes the whole end, once the queue is flushed.
    Closed,
}

#[derive(Debug)]
pub(super) struct FakePipe {
    kind: FakeFd,
    queue: WriteQueue,
    pub(super) output: FakeOutput,
    /// The data that the child sent and the parent has not read.
    inbox: VecDeque<Bytes>,
    paused: bool,
    child: ChildEnd,
    parent: ParentEnd,
}

impl FakePipe {
    pub(super) fn new(kind: FakeFd) -> Self {
        Self {
            kind,
            queue: WriteQueue::new(),
            output: FakeOutput::default(),
            inbox: VecDeque::new(),
            paused: false,
            child: ChildEnd::Open,
            parent: ParentEnd::Open,
        }
    }

    /// Returns the queue for an operation of the program.
    pub(super) fn queue(&mut self) -> Result<&mut WriteQueue, WriteError> {
        if !self.kind.is_writable() {
            Err(WriteError::NotWritable)
        } else if self.queue.is_closed() {
            Err(WriteError::Closed)
        } else {
            Ok(&mut self.queue)
        }
    }

    pub(super) fn buffered(&self) -> usize {
        self.queue.len()
    }

    /// Adds data from the child, or returns them if they cannot arrive.
    pub(super) fn receive(&mut self, data: Bytes) -> Option<Bytes> {
        if self.kind.is_readable() && self.child == ChildEnd::Open && !data.is_empty() {
            self.inbox.push_back(data);
            None
        } else {
            Some(data)
        }
    }

    pub(super) fn end_child(&mut self, end: ChildEnd) {
        self.child = self.child.max(end);
    }

    /// Notes that the child writes no more, if this is a socketpair.
    pub(super) fn end_child_direction(&mut self) {
        if self.kind == FakeFd::Socketpair {
            self.end_child(ChildEnd::ShutDown);
        }
    }

    /// Sets whether reading is paused, and returns whether the parent reads this pipe at all.
    pub(super) fn set_paused(&mut self, paused: bool) -> bool {
        self.paused = paused && self.kind.is_readable();
        self.kind.is_readable()
    }

    pub(super) fn close(&mut self) {
        self.parent = ParentEnd::Closed;
        self.queue.on_close();
    }

    pub(super) fn shut_down(&mut self) {
        if self.kind == FakeFd::Socketpair {
            self.parent = self.parent.max(ParentEnd::ShutDown);
            self.queue.on_close();
        } else {
            self.close();
        }
    }

    /// Sets whether a close waits for a producer.
    pub(super) fn hold_open(&mut self, held: bool) {
        self.queue.set_held(held);
    }

    pub(super) fn abort(&mut self, spent: &mut Spent) {
        self.parent = ParentEnd::Closed;
        self.drop_contents(spent);
    }

    /// Closes a writer and drains a reader, after the protocol panicked.
    pub(super) fn abandon(&mut self, spent: &mut Spent) {
        self.paused = false;
        self.drop_contents(spent);
        self.parent = match self.kind {
            FakeFd::ToChild => ParentEnd::Closed,
            FakeFd::FromChild => self.parent,
            FakeFd::Socketpair => self.parent.max(ParentEnd::ShutDown),
        };
    }

    /// Writes as many queued bytes as fit, and reports marks to the lifecycle.
    pub(super) fn flush(&mut self, fd: ChildFd, lifecycle: &mut Lifecycle, spent: &mut Spent) {
        self.queue.on_flush_begins();
        if self.child == ChildEnd::Closed && !self.paused {
            spent.extend(self.queue.on_abort());
        }
        self.output.flush(&mut self.queue, spent);
        while let Some(mark) = self.queue.poll_mark() {
            lifecycle.on_mark(fd, mark);
        }
    }

    /// Passes data from the child to the lifecycle, and reports the ends of a direction or of the pipe.
    pub(super) fn read(&mut self, fd: ChildFd, lifecycle: &mut Lifecycle, spent: &mut Spent) {
        // A socketpair that waits for its producer is still read, so the child is not blocked.
        if self.parent == ParentEnd::Closed && !self.waits_for_producer() {
            if !self.kind.is_writable() || self.queue.is_done() {
                self.finish(fd, lifecycle, spent);
            }
            return;
        }
        if self.paused {
            return;
        }
        self.deliver(fd, lifecycle, spent);
        match self.child {
            ChildEnd::Open => {}
            ChildEnd::ShutDown if self.kind == FakeFd::Socketpair => {
                lifecycle.on_read_closed(fd);
                if self.queue.is_done() {
                    self.finish(fd, lifecycle, spent);
                }
            }
            ChildEnd::ShutDown | ChildEnd::Closed => self.finish(fd, lifecycle, spent),
        }
    }

    fn waits_for_producer(&self) -> bool {
        self.kind == FakeFd::Socketpair && self.queue.is_held() && !self.queue.is_closed()
    }

    /// Reads once more after the deadline, and closes the pipe.
    pub(super) fn drain(&mut self, fd: ChildFd, lifecycle: &mut Lifecycle, spent: &mut Spent) {
        self.deliver(fd, lifecycle, spent);
        if self.child == ChildEnd::Closed {
            lifecycle.on_not_held(fd);
        }
        self.finish(fd, lifecycle, spent);
    }

    fn deliver(&mut self, fd: ChildFd, lifecycle: &mut Lifecycle, spent: &mut Spent) {
        while let Some(data) = self.inbox.pop_front() {
            spent.extend(lifecycle.on_data(fd, data));
        }
    }

    fn finish(&mut self, fd: ChildFd, lifecycle: &mut Lifecycle, spent: &mut Spent) {
        self.parent = ParentEnd::Closed;
        self.drop_contents(spent);
        lifecycle.on_pipe_closed(fd);
    }

    fn drop_contents(&mut self, spent: &mut Spent) {
        spent.extend(self.inbox.drain(..));
        spent.extend(self.queue.on_abort());
    }
}
