//! Numbers, sizes and times at their extremes: each is accepted, and no call panics.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use procession_core::driver::{Spent, WriteQueue};
use procession_core::{
    Clock, Deferred, Failed, FakeClock, IntoBytes, Mark, Signal, WriteError, first_of, gather,
};

#[test]
fn every_number_is_a_signal_and_only_known_names_parse() {
    for number in [i32::MIN, -1, 0, 32, 65, i32::MAX] {
        let signal = Signal::from_raw(number);
        assert_eq!(signal.as_raw(), number);
        assert_eq!(signal.name(), None);
        assert_eq!(signal.to_string(), format!("signal {number}"));
    }
    for text in ["", "SIG", "SIGSIGTERM", "term", "TERM\0", " 15", "1e3", "99999999999", "-"] {
        assert!(text.parse::<Signal>().is_err(), "{text:?}");
    }
}

#[test]
fn a_queue_takes_sizes_of_any_magnitude() {
    let mut queue = WriteQueue::new();
    queue.set_limits(usize::MAX, usize::MAX);
    queue.set_limits(0, usize::MAX);
    assert_eq!(queue.limits(), (0, 0));
    queue.set_hard_limit(Some(0));
    assert_eq!(queue.on_write(Bytes::from_static(b"x")), Err(WriteError::BufferFull));
    assert_eq!(queue.on_write(Bytes::new()), Ok(()));
    let mut left = Bytes::from_static(b"x");
    assert_eq!(queue.on_write_from(&mut left), Err(WriteError::BufferFull));
    assert_eq!(left, "x");
    queue.set_hard_limit(Some(usize::MAX));
    queue.on_write(Bytes::from_static(b"x")).unwrap();
    assert_eq!(queue.slices(&mut []), 0);
    drop(queue.on_written(0));
    assert_eq!(queue.len(), 1);
    drop(queue.on_written(usize::MAX));
    drop(queue.on_written(usize::MAX));
    let mut spent = Spent::new();
    queue.on_written_into(usize::MAX, &mut spent);
    assert_eq!(spent.into_iter().count(), 0, "there was nothing left to write");
    assert!(queue.is_empty());
    assert_eq!((queue.poll_mark(), queue.poll_mark()), (Some(Mark::Full), Some(Mark::Drained)));
}

#[test]
fn empty_data_of_every_kind_is_empty() {
    assert!("".into_bytes().is_empty());
    assert!(b"".into_bytes().is_empty());
    assert!(String::new().into_bytes().is_empty());
    assert!(IntoBytes::into_bytes(Vec::<u8>::new()).is_empty());
    assert!(IntoBytes::into_bytes(BytesMut::new()).is_empty());
    assert!(IntoBytes::into_bytes(Box::<[u8]>::default()).is_empty());
}

#[test]
fn delays_of_any_length_are_accepted() {
    let clock = FakeClock::new();
    let (promise, never) = Deferred::<(), String>::new();
    let never = never.timeout_on(Duration::MAX, &clock);
    let (_kept, at_once) = Deferred::<(), String>::new();
    let at_once = at_once.timeout_on(Duration::ZERO, &clock);
    let timer = clock.schedule(Duration::MAX, Box::new(|| {}));
    clock.advance(Duration::ZERO);
    assert_eq!(at_once.try_take(), Some(Err(Failed::TimedOut)));
    clock.advance(Duration::from_secs(u64::MAX / 2));
    assert_eq!(never.try_take(), None);
    promise.complete(Ok(()));
    assert_eq!(never.try_take(), Some(Ok(())));
    drop(timer);

    <dyn Clock>::set_current(Some(std::rc::Rc::new(FakeClock::new())));
    let (_promise, deferred) = Deferred::<(), String>::new();
    assert_eq!(deferred.timeout(Duration::MAX).try_take(), None);
    <dyn Clock>::set_current(None);
}

#[test]
fn gather_of_nothing_is_done_and_first_of_nothing_is_abandoned() {
    let none: [Deferred<i32, String>; 0] = [];
    assert_eq!(gather(none).try_take(), Some(Ok(vec![])));
    let none: [Deferred<i32, String>; 0] = [];
    assert_eq!(first_of(none).try_take(), Some(Err(Failed::Abandoned)));
}
