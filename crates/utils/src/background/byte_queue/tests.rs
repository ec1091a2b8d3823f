//! Unit tests of the queue between two threads.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Wake;

use super::*;

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A side of the queue: polls with its own waker, which counts.
#[derive(Default)]
struct Side(Arc<Woken>);

impl Side {
    fn poll<R>(&self, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let waker = Waker::from(Arc::clone(&self.0));
        poll(&mut Context::from_waker(&waker))
    }

    fn woken(&self) -> usize {
        self.0.0.load(SeqCst)
    }
}

fn bytes(count: usize) -> Bytes {
    vec![b'x'; count].into()
}

#[test]
fn the_producer_is_held_above_the_limit_and_woken_once_when_all_was_taken() {
    let (queue, producer, consumer) = (ByteQueue::new(), Side::default(), Side::default());
    let room = || producer.poll(|cx| queue.poll_room(cx));
    assert_eq!(room(), Poll::Ready(Ok(HIGH_BYTES + 1)));
    queue.push([bytes(HIGH_BYTES)]).unwrap();
    assert_eq!(room(), Poll::Ready(Ok(1)), "at the limit is not above it");
    queue.push([bytes(1), bytes(5)]).unwrap();
    assert_eq!(room(), Poll::Pending);
    let taken = consumer.poll(|cx| queue.poll_take(cx));
    assert!(matches!(taken, Poll::Ready(Some(chunks)) if chunks.len() == 3));
    assert_eq!((producer.woken(), room()), (1, Poll::Ready(Ok(HIGH_BYTES + 1))));
    queue.push([bytes(1)]).unwrap();
    assert!(consumer.poll(|cx| queue.poll_take(cx)).is_ready());
    assert_eq!((producer.woken(), consumer.woken()), (1, 0), "who does not wait is not woken");
}

#[test]
fn the_consumer_is_woken_once_for_all_chunks_and_has_them_before_the_end() {
    let (queue, consumer) = (ByteQueue::new(), Side::default());
    assert_eq!(consumer.poll(|cx| queue.poll_take(cx)), Poll::Pending);
    queue.push([Bytes::new()]).unwrap();
    assert_eq!(consumer.woken(), 0, "an empty chunk is no chunk");
    queue.push([bytes(1)]).unwrap();
    queue.push([bytes(2)]).unwrap();
    queue.finish();
    assert_eq!(consumer.woken(), 1);
    assert_eq!(queue.push([bytes(1)]), Err(WriteError::Closed));
    let all = consumer.poll(|cx| queue.poll_take(cx));
    assert!(matches!(all, Poll::Ready(Some(chunks)) if chunks.len() == 2));
    assert_eq!(consumer.poll(|cx| queue.poll_take(cx)), Poll::Ready(None));
    assert_eq!(consumer.poll(|cx| queue.poll_take(cx)), Poll::Ready(None));
}

#[test]
fn the_first_end_of_the_consumer_reaches_the_producer_and_drops_what_is_left() {
    for held in [false, true] {
        let (queue, producer) = (ByteQueue::new(), Side::default());
        queue.push([bytes(if held { HIGH_BYTES + 1 } else { 1 })]).unwrap();
        assert_eq!(producer.poll(|cx| queue.poll_room(cx)).is_pending(), held);
        queue.end(ConsumerEnd::Early(WriteError::ReactorGone));
        queue.end(ConsumerEnd::Whole);
        assert_eq!(producer.woken(), 1, "also a producer that has room");
        let end = ConsumerEnd::Early(WriteError::ReactorGone);
        assert_eq!(producer.poll(|cx| queue.poll_room(cx)), Poll::Ready(Err(end)));
        assert_eq!(producer.poll(|cx| queue.poll_end(cx)), Poll::Ready(end));
        assert_eq!(queue.push([bytes(1)]), Err(WriteError::ReactorGone));
        assert_eq!(Side::default().poll(|cx| queue.poll_take(cx)), Poll::Ready(None));
    }
}

#[test]
fn the_producer_may_wait_for_the_end() {
    let (queue, producer) = (ByteQueue::new(), Side::default());
    queue.finish();
    assert_eq!(producer.poll(|cx| queue.poll_end(cx)), Poll::Pending);
    queue.end(ConsumerEnd::Whole);
    assert_eq!(producer.woken(), 1);
    assert_eq!(producer.poll(|cx| queue.poll_end(cx)), Poll::Ready(ConsumerEnd::Whole));
}

#[test]
fn a_queue_that_discards_holds_no_producer_and_keeps_no_more_than_the_limit_and_one_batch() {
    let (queue, producer, consumer) = (ByteQueue::new(), Side::default(), Side::default());
    let room = || producer.poll(|cx| queue.poll_room(cx));
    queue.push([bytes(HIGH_BYTES + 1)]).unwrap();
    assert!(room().is_pending());
    queue.set_discards(true);
    assert_eq!(producer.woken(), 1);
    for _ in 0..3 {
        assert!(room().is_ready());
        queue.push([bytes(HIGH_BYTES)]).unwrap();
    }
    queue.set_discards(false);
    assert!(room().is_pending());
    let taken = consumer.poll(|cx| queue.poll_take(cx));
    let Poll::Ready(Some(chunks)) = taken else { panic!("there are chunks") };
    assert_eq!(chunks.iter().map(Bytes::len).sum::<usize>(), HIGH_BYTES + 1);
    queue.push([bytes(2 * HIGH_BYTES)]).unwrap();
    assert!(room().is_pending(), "it keeps everything again");
}
