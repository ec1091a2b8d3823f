//! Laws of the write queue, against a simple model.

#[path = "models/write_queue.rs"]
mod model;

use std::io::IoSlice;

use bytes::Bytes;
use model::Model;
use procession_core::Mark;
use procession_core::driver::WriteQueue;
use proptest::prelude::*;

/// An input of the queue.
#[derive(Debug, Clone)]
enum Input {
    /// Writes this many bytes, fewer than 256; their contents show their order.
    Write(usize),
    /// The descriptor takes at most `bytes` of the first `slots` slices.
    Take {
        bytes: usize,
        slots: usize,
    },
    /// More bytes are reported as written than were ever queued.
    TakeTooMuch,
    Limits(usize, usize),
    HardLimit(Option<usize>),
    Close,
    FlushBegins,
    Abort,
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => (0..40_usize).prop_map(Input::Write),
        8 => (0..60_usize, 0..5_usize).prop_map(|(bytes, slots)| Input::Take { bytes, slots }),
        1 => Just(Input::TakeTooMuch),
        2 => (0..80_usize, 0..80_usize).prop_map(|(high, low)| Input::Limits(high, low)),
        1 => proptest::option::of(0..200_usize).prop_map(Input::HardLimit),
        1 => Just(Input::Close),
        2 => Just(Input::FlushBegins),
        1 => Just(Input::Abort),
    ]
}

/// Returns the bytes that a gathering write of `slots` slices would take, at most `bytes`.
fn offered(queue: &WriteQueue, slots: usize, bytes: usize) -> Vec<u8> {
    let mut slices = vec![IoSlice::new(&[]); slots];
    let filled = queue.slices(&mut slices);
    assert!(slices[..filled].iter().all(|slice| !slice.is_empty()), "no empty chunk is offered");
    slices[..filled].iter().flat_map(|slice| slice.iter().copied()).take(bytes).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// After any inputs in any order, the queue and the model agree.
    #[test]
    fn the_queue_does_what_its_model_does(inputs in proptest::collection::vec(input(), 0..80)) {
        let mut queue = WriteQueue::new();
        let mut model = Model::new(&queue);
        let mut next = 0_u8;
        for input in inputs {
            match input {
                Input::Write(bytes) => {
                    let data: Vec<u8> = (0..bytes).map(|_| { next = next.wrapping_add(1); next }).collect();
                    prop_assert_eq!(queue.on_write(Bytes::from(data.clone())), model.write(&data));
                }
                Input::Take { bytes, slots } => {
                    let out = offered(&queue, slots, bytes);
                    drop(queue.on_written(out.len()));
                    prop_assert_eq!(&model.take(out.len()), &out);
                }
                Input::TakeTooMuch => {
                    drop(queue.on_written(usize::MAX));
                    model.take(usize::MAX);
                }
                Input::Limits(high, low) => {
                    queue.set_limits(high, low);
                    model.set_limits(high, low);
                }
                Input::HardLimit(limit) => {
                    queue.set_hard_limit(limit);
                    model.hard_limit = limit;
                }
                Input::Close => {
                    queue.on_close();
                    model.closing = true;
                }
                Input::FlushBegins => {
                    queue.on_flush_begins();
                    model.flush_begins();
                }
                Input::Abort => {
                    let kept = queue.len();
                    let spent = queue.on_abort();
                    prop_assert_eq!(spent.into_iter().map(|chunk| chunk.len()).sum::<usize>(), kept);
                    model.abort();
                }
            }
            model.check(&mut queue);
        }
    }

    /// If marks are polled after each flush, an empty queue reports that it is empty.
    #[test]
    fn a_queue_that_becomes_empty_reports_it_whatever_its_limits_are(
        (high, low) in (0..80_usize, 0..80_usize),
        rounds in proptest::collection::vec(
            (1..100_usize, proptest::collection::vec(1..60_usize, 0..6)), 1..10),
    ) {
        let mut queue = WriteQueue::new();
        queue.set_limits(high, low);
        for (bytes, takes) in rounds {
            queue.on_write(Bytes::from(vec![0; bytes])).unwrap();
            takes.into_iter().for_each(|bytes| drop(queue.on_written(bytes)));
            let was_empty = queue.is_empty();
            let marks: Vec<Mark> = std::iter::from_fn(|| queue.poll_mark()).collect();
            let empty = |mark: &Mark| matches!(mark, Mark::Drained | Mark::Emptied);
            prop_assert!(!was_empty || marks.last().is_some_and(empty), "{:?}", marks);
            prop_assert!(was_empty || !marks.contains(&Mark::Emptied), "{:?}", marks);
        }
    }

    /// The bytes out are the bytes in, however writes and partial writes are divided.
    #[test]
    fn bytes_out_are_bytes_in(
        text in proptest::collection::vec(any::<u8>(), 0..2000),
        writes in proptest::collection::vec(1..300_usize, 1..20),
        takes in proptest::collection::vec((1..300_usize, 1..8_usize), 1..20),
    ) {
        let mut queue = WriteQueue::new();
        let mut rest = &text[..];
        let mut writes = writes.into_iter().cycle();
        let mut takes = takes.into_iter().cycle();
        let mut out = Vec::new();
        let mut closed_after = None;
        while !queue.is_done() {
            if rest.is_empty() {
                queue.on_close();
                queue.on_flush_begins();
            } else {
                let (now, later) = rest.split_at(writes.next().unwrap().min(rest.len()));
                queue.on_write(Bytes::copy_from_slice(now)).unwrap();
                rest = later;
            }
            let (bytes, slots) = takes.next().unwrap();
            let taken = offered(&queue, slots, bytes);
            drop(queue.on_written(taken.len()));
            out.extend(taken);
            if queue.is_done() {
                closed_after = Some(out.len());
            }
        }
        prop_assert_eq!(closed_after, Some(text.len()), "the end comes only after the drain");
        prop_assert_eq!(out, text);
    }
}
