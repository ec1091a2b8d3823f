//! Any sequence of writes, partial writes, limits, closes and aborts, against a model of bytes.
#![no_main]

use std::collections::VecDeque;
use std::io::IoSlice;

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use procession_core::driver::WriteQueue;
use procession_core::{Mark, WriteError};

#[derive(Debug, Arbitrary)]
enum Input {
    Write(u8),
    WriteFrom(u8),
    Take { bytes: u16, slots: u8 },
    TakeTooMuch(usize),
    Limits(usize, usize),
    SmallLimits(u8, u8),
    HardLimit(Option<u16>),
    Close,
    Hold(bool),
    FlushBegins,
    Abort,
}

#[derive(Default)]
struct Model {
    bytes: VecDeque<u8>,
    high: usize,
    low: usize,
    hard_limit: Option<usize>,
    armed: bool,
    full: bool,
    marks: Vec<Mark>,
    closing: bool,
    held: bool,
    closed: bool,
}

impl Model {
    fn write(&mut self, data: &[u8]) -> Result<(), WriteError> {
        if self.closed {
            return Err(WriteError::Closed);
        }
        let above = self.hard_limit.is_some_and(|limit| self.bytes.len() + data.len() > limit);
        if above && !data.is_empty() {
            return Err(WriteError::BufferFull);
        }
        self.bytes.extend(data);
        self.cross();
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let taken: Vec<u8> = self.bytes.drain(..bytes.min(self.bytes.len())).collect();
        let marks_before = self.marks.len();
        self.cross();
        if self.bytes.is_empty() && !taken.is_empty() && self.marks.len() == marks_before {
            self.marks.push(Mark::Emptied);
        }
        taken
    }

    fn cross(&mut self) {
        let len = self.bytes.len();
        self.armed |= len > self.low;
        if len > self.high && !self.full {
            self.full = true;
            self.marks.push(Mark::Full);
        }
        if len <= self.low && self.armed {
            (self.armed, self.full) = (false, false);
            self.marks.push(Mark::Drained);
        }
    }
}

/// Returns bytes of which no two neighbours are equal.
fn bytes(next: &mut u8, length: u8) -> Vec<u8> {
    let numbers = (0..length).map(|_| {
        *next = next.wrapping_add(1);
        *next
    });
    numbers.collect()
}

fuzz_target!(|inputs: Vec<Input>| {
    let mut queue = WriteQueue::new();
    let mut model = Model { high: queue.limits().0, low: queue.limits().1, ..Model::default() };
    let mut next = 0_u8;
    for input in inputs {
        match input {
            Input::Write(length) => {
                let data = bytes(&mut next, length);
                assert_eq!(queue.on_write(Bytes::from(data.clone())), model.write(&data));
            }
            Input::WriteFrom(length) => {
                let data = bytes(&mut next, length);
                let mut given = Bytes::from(data.clone());
                let result = queue.on_write_from(&mut given);
                assert_eq!(result, model.write(&data));
                assert_eq!(given, if result.is_ok() { &[] } else { &data[..] }, "all or nothing");
            }
            Input::Take { bytes, slots } => {
                let mut slices = vec![IoSlice::new(&[]); usize::from(slots)];
                let filled = queue.slices(&mut slices);
                let offered: Vec<u8> = slices[..filled]
                    .iter()
                    .flat_map(|slice| slice.iter().copied())
                    .take(usize::from(bytes))
                    .collect();
                drop(queue.on_written(offered.len()));
                assert_eq!(model.take(offered.len()), offered, "bytes out are bytes in");
            }
            Input::TakeTooMuch(extra) => {
                drop(queue.on_written(model.bytes.len().saturating_add(extra)));
                model.take(usize::MAX);
            }
            Input::Limits(high, low) => {
                queue.set_limits(high, low);
                (model.high, model.low) = (high, low.min(high));
                model.cross();
            }
            Input::SmallLimits(high, low) => {
                let (high, low) = (usize::from(high), usize::from(low));
                queue.set_limits(high, low);
                (model.high, model.low) = (high, low.min(high));
                model.cross();
            }
            Input::HardLimit(limit) => {
                model.hard_limit = limit.map(usize::from);
                queue.set_hard_limit(model.hard_limit);
            }
            Input::Close => {
                queue.on_close();
                model.closing = true;
            }
            Input::Hold(held) => {
                queue.set_held(held);
                model.held = held;
            }
            Input::FlushBegins => {
                queue.on_flush_begins();
                model.closed |= model.closing && !model.held;
            }
            Input::Abort => {
                drop(queue.on_abort());
                model = Model {
                    high: model.high,
                    low: model.low,
                    hard_limit: model.hard_limit,
                    closing: true,
                    held: model.held,
                    closed: true,
                    ..Model::default()
                };
            }
        }
        for mark in model.marks.drain(..) {
            assert_eq!(queue.poll_mark(), Some(mark));
        }
        assert_eq!(queue.poll_mark(), None);
        assert_eq!(queue.len(), model.bytes.len());
        let state = (queue.is_closing(), queue.is_held(), queue.is_closed());
        assert_eq!(state, (model.closing, model.held, model.closed));
        assert_eq!(queue.is_done(), model.closed && model.bytes.is_empty());
        assert_eq!(queue.front().map(|chunk| chunk[0]), model.bytes.front().copied());
    }
});
