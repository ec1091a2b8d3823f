//! Calls to a loop from other threads, the wakers of its tasks, and its signals.

mod util;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use procession::driver::core::Answer;
use procession::{FakeChildren, Process, ProcessProtocol, Reactor, SpawnProcess};
use util::on_threads;

const THREADS: usize = 4;
const CALLS: usize = 200;

#[test]
fn calls_of_four_threads_run_on_the_loop() {
    let mut reactor = Reactor::new().unwrap().without_signals();
    let remote = reactor.remote();
    let (sum, seen) = channel();
    let others = thread::spawn(move || {
        on_threads(THREADS, |number| {
            for call in 0..CALLS {
                let (sum, data) = (sum.clone(), vec![number, call]);
                remote.call(move |_| sum.send(data.iter().sum::<usize>()));
            }
        });
        remote.call(|reactor| reactor.stop());
    });
    reactor.run().unwrap();
    others.join().unwrap();
    let sums: Vec<usize> = seen.try_iter().collect();
    assert_eq!(sums.len(), THREADS * CALLS);
    assert_eq!(sums.iter().sum::<usize>(), 6 * CALLS + THREADS * (CALLS - 1) * CALLS / 2);
}

#[test]
fn tasks_are_woken_by_other_threads() {
    let mut reactor = Reactor::new().unwrap().without_signals();
    let (answers, threads): (Vec<_>, Vec<_>) = (0..50)
        .map(|number| {
            let (reply, answer) = Answer::new();
            (answer, thread::spawn(move || reply.send(vec![number; 2])))
        })
        .unzip();
    let sum = reactor.block_on(async move {
        let mut sum = 0;
        for answer in answers {
            sum += answer.await.unwrap()[1];
        }
        sum
    });
    assert_eq!(sum, 49 * 25);
    threads.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
}

#[test]
fn a_reactor_is_dropped_beside_calls() {
    for _ in 0..50 {
        let reactor = Reactor::new().unwrap().without_signals();
        let remote = reactor.remote();
        let other = thread::spawn(move || {
            while !remote.is_closed() {
                let data = vec![1; 100];
                remote.call(move |_| data.len());
            }
        });
        drop(reactor);
        other.join().unwrap();
    }
}

/// Passes on what its child writes.
struct Collect(Rc<RefCell<Vec<u8>>>);

impl ProcessProtocol for Collect {
    fn out_received(&mut self, _: &Process, data: procession::Bytes) {
        self.0.borrow_mut().extend_from_slice(&data);
    }
}

#[test]
fn fake_children_are_driven_by_other_threads() {
    thread_local!(static CHILDREN: FakeChildren = FakeChildren::new());
    let mut reactor = Reactor::new().unwrap().without_signals();
    let output = Rc::<RefCell<Vec<u8>>>::default();
    let spawned = CHILDREN.with(|children| {
        children.spawn_process(Collect(Rc::clone(&output)), "server").unwrap();
        children.take().unwrap().1
    });
    thread_local!(static CHILD: RefCell<Option<procession::FakeProcess>> = const { RefCell::new(None) });
    CHILD.set(Some(spawned));
    let remote = reactor.remote();
    let others = thread::spawn(move || {
        on_threads(THREADS, |number| {
            for _ in 0..CALLS {
                let data = vec![b'a' + u8::try_from(number).unwrap(); 10];
                remote.call(move |_| {
                    CHILD.with_borrow_mut(|child| child.as_mut().unwrap().child_writes(1, data));
                });
            }
        });
        remote.call(|reactor| reactor.stop());
    });
    reactor.run().unwrap();
    others.join().unwrap();
    assert_eq!(output.borrow().len(), THREADS * CALLS * 10);
}

#[test]
fn timers_and_remote_calls_share_a_loop() {
    let mut reactor = Reactor::new().unwrap().without_signals();
    let remote = reactor.remote();
    let other = thread::spawn(move || {
        for _ in 0..CALLS {
            remote.call(|reactor| {
                reactor.call_later(Duration::ZERO, |_| {});
            });
        }
        remote.call(|reactor| {
            reactor.call_later(Duration::from_millis(1), |reactor| reactor.stop());
        });
    });
    reactor.run().unwrap();
    other.join().unwrap();
}
