//! Calls to a loop from other threads, and the wake-ups of its tasks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Waker;

use loom::thread;

use super::Counted;
use crate::Model;
use crate::shared::{Shared, WakerFlag};
use crate::sync::AtomicBool;
use crate::wake::WakeFd;

pub(super) const MODELS: &[Model] = &[
    Model { part: "Remote", claim: "a loop that waits gets the calls of two threads", run: calls },
    Model { part: "Remote", claim: "calls of one thread keep their order", run: order },
    Model {
        part: "Remote",
        claim: "a call beside the reactor's drop is dropped once",
        run: closing,
    },
    Model {
        part: "wake-ups",
        claim: "the task of a waker that is woken is polled again",
        run: waker,
    },
    Model { part: "wake-ups", claim: "a signal's flag and write end the wait", run: signal },
];

fn new<J>() -> Arc<Shared<J>> {
    Arc::new(Shared::new(WakeFd::new()))
}

/// Waits as a turn of the loop does (`reactor/src/turn.rs`).
fn wait<J>(shared: &Shared<J>) {
    let fd = shared.wake_fd().expect("the reactor lives");
    shared.set_asleep();
    fd.wait(!shared.has_work());
    shared.set_awake();
}

/// Turns until so many jobs have come.
fn jobs<J>(shared: &Shared<J>, count: usize) -> Vec<J> {
    let mut all = Vec::new();
    while all.len() < count {
        wait(shared);
        if shared.take_work() {
            let mut taken = VecDeque::new();
            shared.take_jobs(&mut taken);
            all.extend(taken);
        }
    }
    all
}

fn calls() {
    let shared = new();
    let senders = [1, 2].map(|number| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || shared.push_job(number))
    });
    assert_eq!(jobs(&shared, 2).iter().sum::<i32>(), 3);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
}

fn order() {
    let shared = new();
    let sender = Arc::clone(&shared);
    let sender = thread::spawn(move || (1..=2).for_each(|number| sender.push_job(number)));
    assert_eq!(jobs(&shared, 2), [1, 2]);
    sender.join().unwrap();
}

fn closing() {
    let shared = new();
    let (job, drops) = Counted::new();
    let sender = Arc::clone(&shared);
    let sender = thread::spawn(move || sender.push_job(job));
    drop(shared.close());
    sender.join().unwrap();
    assert_eq!(drops.load(SeqCst), 1);
    assert!(shared.close().is_empty() && shared.is_closed());
}

fn waker() {
    let shared = new::<()>();
    let flag = WakerFlag::new(Arc::clone(&shared));
    let is_ready = Arc::new(AtomicBool::new(false));
    let (waker, ready) = (Waker::from(Arc::clone(&flag)), Arc::clone(&is_ready));
    let other = thread::spawn(move || {
        ready.store(true, std::sync::atomic::Ordering::Relaxed);
        waker.wake();
    });
    loop {
        if flag.take() && is_ready.load(std::sync::atomic::Ordering::Relaxed) {
            break;
        }
        wait(&shared);
        shared.take_work();
    }
    other.join().unwrap();
}

fn signal() {
    let shared = new::<()>();
    let (flag, fd) = (shared.signalled(), shared.wake_fd().expect("the reactor lives"));
    let handler = thread::spawn(move || {
        flag.store(true, SeqCst);
        fd.wake();
    });
    while !shared.take_signalled() {
        wait(&shared);
    }
    handler.join().unwrap();
}
