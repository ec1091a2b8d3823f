//! Calls from other threads, by `Remote`.

#[path = "util/bound.rs"]
mod bound;
#[path = "util/each_loop.rs"]
mod each_loop;
#[path = "util/until.rs"]
mod until;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bound::bound;
use each_loop::each_loop;
use procession_reactor::{Handle, Remote};
use until::until;

/// Case RT-08.
#[test]
fn a_call_from_another_thread_ends_the_wait() {
    each_loop(|mut reactor| {
        let remote = reactor.remote();
        let (send, receive) = mpsc::channel::<()>();
        let here = thread::current().id();
        let other = thread::spawn(move || {
            // Nothing is sent, so this pauses until the reactor waits.
            receive.recv_timeout(Duration::from_millis(100)).unwrap_err();
            remote.call(move |reactor| {
                assert_eq!(thread::current().id(), here);
                reactor.stop();
            });
        });
        reactor.run().unwrap();
        other.join().unwrap();
        drop(send);
        assert!(reactor.now() < bound(Duration::from_secs(5)));
    });
}

/// Case RT-09.
#[test]
fn calls_of_many_threads_all_run_once_and_in_the_order_of_each() {
    each_loop(|mut reactor| {
        let got = Arc::new(Mutex::new(vec![Vec::new(); 4]));
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let (remote, got) = (reactor.remote(), Arc::clone(&got));
                thread::spawn(move || {
                    for i in 0..10_000 {
                        let got = Arc::clone(&got);
                        remote.call(move |_| got.lock().unwrap()[n].push(i));
                    }
                })
            })
            .collect();
        until(&mut reactor, || got.lock().unwrap().iter().all(|got| got.len() == 10_000));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let got = got.lock().unwrap();
        assert!(got.iter().all(|got| got.iter().copied().eq(0..10_000)));
    });
}

/// Case RT-10.
#[test]
fn a_chain_of_remote_calls_leaves_timers_their_turn() {
    each_loop(|mut reactor| {
        fn chain(remote: &Remote, left: u32, done: &Arc<Mutex<Option<u32>>>) {
            let (next, done) = (remote.clone(), Arc::clone(done));
            remote.call(move |_| match left {
                0 => *done.lock().unwrap() = Some(0),
                _ => chain(&next, left - 1, &done),
            });
        }
        let done = Arc::new(Mutex::new(None));
        chain(&reactor.remote(), 1000, &done);
        let before_the_end = Rc::new(Cell::new(None));
        let (seen, chained) = (Rc::clone(&before_the_end), Arc::clone(&done));
        reactor.call_later(Duration::ZERO, move |_| {
            seen.set(Some(chained.lock().unwrap().is_none()));
        });
        until(&mut reactor, || done.lock().unwrap().is_some());
        assert_eq!(before_the_end.get(), Some(true));
    });
}

#[test]
fn a_call_added_by_call_soon_runs_in_the_next_turn() {
    each_loop(|mut reactor| {
        let calls = Rc::new(Cell::new(0));
        fn again(reactor: &Handle, calls: &Rc<Cell<u32>>) {
            let calls = Rc::clone(calls);
            reactor.call_soon(move |reactor| {
                calls.set(calls.get() + 1);
                again(reactor, &calls);
            });
        }
        again(&reactor, &calls);
        for turn in 1..=3 {
            reactor.turn(None).unwrap();
            assert_eq!(calls.get(), turn);
        }
    });
}

#[test]
fn a_remote_of_a_dropped_reactor_drops_its_calls() {
    each_loop(|reactor| {
        let remote = reactor.remote();
        drop(reactor);
        let alive = Arc::new(());
        let inside = Arc::clone(&alive);
        remote.call(move |_| drop(inside));
        assert_eq!(Arc::strong_count(&alive), 1);
        assert!(remote.is_closed());
    });
}
