//! Any sequence of writes, partial writes, limits, closes and aborts, against a model of bytes.
#![no_main]

#[path = "../../crates/core/tests/models/write_queue.rs"]
mod model;

use std::io::IoSlice;

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use model::Model;
use procession_core::driver::WriteQueue;

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
    let mut model = Model::new(&queue);
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
                model.set_limits(high, low);
            }
            Input::SmallLimits(high, low) => {
                let (high, low) = (usize::from(high), usize::from(low));
                queue.set_limits(high, low);
                model.set_limits(high, low);
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
                model.flush_begins();
            }
            Input::Abort => {
                drop(queue.on_abort());
                model.abort();
            }
        }
        model.check(&mut queue);
    }
});
