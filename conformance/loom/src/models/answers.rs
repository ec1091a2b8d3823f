//! One value from a thread to another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use loom::future::block_on;
use loom::thread;

use super::Counted;
use crate::Model;
use crate::answer::{Answer, Gone};

pub(super) const MODELS: &[Model] = &[
    Model { part: "Answer", claim: "a thread that blocks gets the value", run: value_by_wait },
    Model { part: "Answer", claim: "a task that awaits gets the value", run: value_by_future },
    Model { part: "Answer", claim: "who waits sees the end of the sender", run: gone },
    Model { part: "Answer", claim: "a value that nobody gets returns to its sender", run: refused },
    Model { part: "Answer", claim: "the hook runs, once, unless the value came", run: hook },
    Model { part: "Answer", claim: "a waker that was replaced need not be woken", run: two_wakers },
];

fn value_by_wait() {
    let (reply, answer) = Answer::new();
    let sender = thread::spawn(move || reply.send(5));
    assert_eq!(answer.wait(), Ok(5));
    assert_eq!(sender.join().unwrap(), Ok(()));
}

fn value_by_future() {
    let (reply, answer) = Answer::new();
    let sender = thread::spawn(move || reply.send(5));
    assert_eq!(block_on(answer), Ok(5));
    assert_eq!(sender.join().unwrap(), Ok(()));
}

fn gone() {
    let (reply, answer) = Answer::<i32>::new();
    let sender = thread::spawn(move || drop(reply));
    assert_eq!(answer.wait(), Err(Gone));
    sender.join().unwrap();
}

fn refused() {
    let (reply, answer) = Answer::new();
    let (value, drops) = Counted::new();
    let sender = thread::spawn(move || reply.send(value).is_ok());
    drop(answer);
    sender.join().unwrap();
    assert_eq!(drops.load(SeqCst), 1);
}

fn hook() {
    let (reply, answer) = Answer::new();
    let calls = Arc::<AtomicUsize>::default();
    let hook = Arc::clone(&calls);
    let sender = thread::spawn(move || {
        reply.on_drop(move || {
            hook.fetch_add(1, SeqCst);
        });
        reply.send(1).is_ok()
    });
    drop(answer);
    let is_sent = sender.join().unwrap();
    assert_eq!(calls.load(SeqCst), usize::from(!is_sent));
}

fn two_wakers() {
    let (reply, mut answer) = Answer::new();
    let sender = thread::spawn(move || reply.send(5));
    let first = block_on(async {
        // One poll, by a waker that is not used again.
        let mut once = Some(&mut answer);
        std::future::poll_fn(|context| {
            let answer = once.take().expect("it is polled once");
            std::task::Poll::Ready(std::pin::Pin::new(answer).poll(context))
        })
        .await
    });
    match first {
        std::task::Poll::Ready(received) => assert_eq!(received, Ok(5)),
        std::task::Poll::Pending => assert_eq!(answer.wait(), Ok(5)),
    }
    assert_eq!(sender.join().unwrap(), Ok(()));
}
