//! The write queue as its page describes it, as single bytes. The fuzz target uses it too.

use std::collections::VecDeque;

use procession_core::driver::WriteQueue;
use procession_core::{Mark, WriteError};

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) bytes: VecDeque<u8>,
    high: usize,
    low: usize,
    pub(crate) hard_limit: Option<usize>,
    was_above_low: bool,
    reported_full: bool,
    marks: Vec<Mark>,
    pub(crate) closing: bool,
    pub(crate) held: bool,
    closed: bool,
}

impl Model {
    pub(crate) fn new(queue: &WriteQueue) -> Self {
        let (high, low) = queue.limits();
        Self { high, low, ..Self::default() }
    }

    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), WriteError> {
        if self.closed {
            return Err(WriteError::Closed);
        }
        let too_long = self.hard_limit.is_some_and(|limit| self.bytes.len() + data.len() > limit);
        if too_long && !data.is_empty() {
            return Err(WriteError::BufferFull);
        }
        self.bytes.extend(data);
        self.cross();
        Ok(())
    }

    pub(crate) fn take(&mut self, bytes: usize) -> Vec<u8> {
        let taken: Vec<u8> = self.bytes.drain(..bytes.min(self.bytes.len())).collect();
        let told = self.marks.len();
        self.cross();
        let became_empty = self.bytes.is_empty() && !taken.is_empty();
        if became_empty && self.marks.len() == told {
            self.marks.push(Mark::Emptied);
        }
        taken
    }

    pub(crate) fn set_limits(&mut self, high: usize, low: usize) {
        (self.high, self.low) = (high, low.min(high));
        self.cross();
    }

    fn cross(&mut self) {
        let len = self.bytes.len();
        self.was_above_low |= len > self.low;
        if len > self.high && !self.reported_full {
            self.reported_full = true;
            self.marks.push(Mark::Full);
        }
        if len <= self.low && self.was_above_low {
            self.was_above_low = false;
            self.reported_full = false;
            self.marks.push(Mark::Drained);
        }
    }

    pub(crate) fn flush_begins(&mut self) {
        self.closed |= self.closing && !self.held;
    }

    pub(crate) fn abort(&mut self) {
        self.closing = true;
        self.closed = true;
        self.bytes.clear();
        self.was_above_low = false;
        self.reported_full = false;
        self.marks.clear();
    }

    /// Asserts that the queue and the model agree.
    pub(crate) fn check(&mut self, queue: &mut WriteQueue) {
        for mark in self.marks.drain(..) {
            assert_eq!(queue.poll_mark(), Some(mark));
        }
        assert_eq!(queue.poll_mark(), None);
        assert_eq!((queue.len(), queue.is_empty()), (self.bytes.len(), self.bytes.is_empty()));
        assert_eq!(queue.limits(), (self.high, self.low));
        let state = (queue.is_closing(), queue.is_held(), queue.is_closed());
        assert_eq!(state, (self.closing, self.held, self.closed));
        assert_eq!(queue.is_done(), self.closed && self.bytes.is_empty());
        assert_eq!(queue.front().map(|chunk| chunk[0]), self.bytes.front().copied());
    }
}
