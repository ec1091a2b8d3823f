//! Messages and bytes between a background and its users.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use bytes::Bytes;
use loom::future::block_on;
use loom::thread;
use procession_core::WriteError;

use super::Counted;
use crate::Model;
use crate::byte_queue::{ByteQueue, Consumer, ConsumerEnd, HIGH_BYTES, Producer};
use crate::mailbox::Mailbox;

pub(super) const MODELS: &[Model] = &[
    Model { part: "Mailbox", claim: "the task gets the messages of two threads", run: messages },
    Model { part: "Mailbox", claim: "what was sent comes before the finish", run: finish },
    Model { part: "Mailbox", claim: "a message beside the close is dropped once", run: close },
    Model { part: "ByteQueue", claim: "every byte arrives, and then the end", run: bytes },
    Model { part: "ByteQueue", claim: "a producer that waits for room goes on", run: room },
    Model { part: "ByteQueue", claim: "a producer that waits sees the consumer's end", run: end },
    Model { part: "ByteQueue", claim: "a producer without work sees that end too", run: idle_end },
];

fn next<M>(mailbox: &Mailbox<M>) -> Option<M> {
    block_on(poll_fn(|context| mailbox.poll_next(context)))
}

fn messages() {
    let mailbox = Arc::new(Mailbox::new());
    let senders = [1, 2].map(|number| {
        let mailbox = Arc::clone(&mailbox);
        thread::spawn(move || mailbox.send(number))
    });
    assert_eq!([next(&mailbox), next(&mailbox)].into_iter().flatten().sum::<i32>(), 3);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
}

fn finish() {
    let mailbox = Arc::new(Mailbox::new());
    let sender = Arc::clone(&mailbox);
    let sender = thread::spawn(move || {
        sender.send(1);
        sender.finish();
    });
    assert_eq!((next(&mailbox), next(&mailbox)), (Some(1), None));
    sender.join().unwrap();
}

fn close() {
    let mailbox = Arc::new(Mailbox::new());
    let (message, drops) = Counted::new();
    let sender = Arc::clone(&mailbox);
    let sender = thread::spawn(move || sender.send(message));
    mailbox.close();
    sender.join().unwrap();
    assert_eq!(drops.load(SeqCst), 1);
}

/// Takes everything that comes; returns the number of bytes.
fn take_all(queue: &ByteQueue) -> usize {
    let mut bytes = 0;
    while let Some(chunks) = block_on(poll_fn(|context| queue.poll_take(context))) {
        assert!(!chunks.is_empty());
        bytes += chunks.iter().map(Bytes::len).sum::<usize>();
    }
    bytes
}

fn bytes() {
    let queue = Arc::new(ByteQueue::new());
    let producer = Producer(Arc::clone(&queue));
    let producer = thread::spawn(move || {
        producer.0.push([Bytes::from_static(b"ab")]).unwrap();
        producer.0.push([Bytes::from_static(b"c")]).unwrap();
    });
    assert_eq!(take_all(&queue), 3);
    producer.join().unwrap();
}

fn room() {
    static LARGE: [u8; HIGH_BYTES + 1] = [0; HIGH_BYTES + 1];
    let queue = Arc::new(ByteQueue::new());
    let producer = Producer(Arc::clone(&queue));
    let producer = thread::spawn(move || {
        for _ in 0..2 {
            let room = block_on(poll_fn(|context| producer.0.poll_room(context)));
            assert!(room.unwrap() >= 1);
            producer.0.push([Bytes::from_static(&LARGE)]).unwrap();
        }
    });
    assert_eq!(take_all(&queue), 2 * LARGE.len());
    producer.join().unwrap();
}

fn end() {
    static LARGE: [u8; HIGH_BYTES + 1] = [0; HIGH_BYTES + 1];
    let queue = Arc::new(ByteQueue::new());
    let consumer = Consumer(Arc::clone(&queue));
    let consumer = thread::spawn(move || drop(consumer));
    let early = ConsumerEnd::Early(WriteError::ReactorGone);
    match queue.push([Bytes::from_static(&LARGE)]) {
        Ok(()) => {
            let room = block_on(poll_fn(|context| queue.poll_room(context)));
            assert_eq!(room, Err(early));
        }
        Err(refused) => assert_eq!(refused, WriteError::ReactorGone),
    }
    consumer.join().unwrap();
}

fn idle_end() {
    let queue = Arc::new(ByteQueue::new());
    let other = Arc::clone(&queue);
    let consumer = thread::spawn(move || other.end(ConsumerEnd::Whole));
    let end = block_on(poll_fn(|context| queue.poll_end(context)));
    assert_eq!(end, ConsumerEnd::Whole);
    consumer.join().unwrap();
}
