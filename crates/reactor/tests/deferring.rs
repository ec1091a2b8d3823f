//! `defer`, `defer_to_thread`, `call_every` and `timeout`.

#[path = "util/each_loop.rs"]
mod each_loop;

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use each_loop::each_loop;
use procession_core::{Deferred, Failed, Timer};
use procession_reactor::{Handle, Reactor};

const TICK: Duration = Duration::from_millis(10);

/// Sets a flag when it is dropped.
struct DropFlag(Rc<Cell<bool>>);

impl Drop for DropFlag {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

fn noted() -> (DropFlag, Rc<Cell<bool>>) {
    let dropped = Rc::new(Cell::new(false));
    (DropFlag(Rc::clone(&dropped)), dropped)
}

/// Keeps the loop's thread busy, as a slow callback does.
fn keep_busy(reactor: &Handle, time: Duration) {
    let over = reactor.now() + time;
    while reactor.now() < over {
        std::hint::spin_loop();
    }
}

#[test]
fn a_future_becomes_a_deferred_and_ends_with_it() {
    each_loop(|mut reactor| {
        let deferred = reactor.defer(ready(Ok::<_, String>(1))).map(|n| n + 1);
        assert_eq!(deferred.try_take(), None, "it is polled in the next turn");
        assert_eq!(reactor.block_on(deferred), Ok(2));
        let failed = reactor.defer(ready(Err::<(), _>("bad")));
        assert_eq!(reactor.block_on(failed), Err(Failed::Error("bad")));
        let (inside, dropped) = noted();
        let given_up = reactor.defer(async move {
            let _inside = inside;
            pending::<Result<(), String>>().await
        });
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(!dropped.get());
        drop(given_up.map(|()| 1));
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(dropped.get(), "its future goes with the last link");
        let abandoned = reactor.defer(pending::<Result<(), String>>());
        drop(reactor);
        assert_eq!(abandoned.try_take(), Some(Err(Failed::Abandoned)));
    });
}

#[test]
fn a_call_in_a_thread_gives_its_value_and_its_panic_as_an_error() {
    each_loop(|mut reactor| {
        let here = thread::current().id();
        let there = reactor.defer_to_thread(|| thread::current().id());
        assert_ne!(reactor.block_on(there).unwrap(), here);
        let failed = reactor.defer_to_thread(|| -> u32 { panic!("torn {}", "tape") });
        let error = reactor.block_on(failed).unwrap_err().error().unwrap();
        assert_eq!(error.kind(), ErrorKind::Other);
        assert_eq!(error.to_string(), "the call in a thread of its own panicked: torn tape");
        let failed = reactor.defer_to_thread(|| std::panic::panic_any(7));
        let error = reactor.block_on(failed).unwrap_err().error().unwrap();
        assert_eq!(error.to_string(), "the call in a thread of its own panicked");
    });
}

#[test]
fn an_abandoned_call_in_a_thread_finishes_and_its_value_is_dropped() {
    each_loop(|reactor| {
        let (go, gone) = channel::<()>();
        let (value, dropped) = channel::<()>();
        let given_up = reactor.defer_to_thread(move || {
            gone.recv().unwrap();
            value
        });
        drop(given_up);
        drop(reactor);
        go.send(()).unwrap();
        assert!(dropped.recv().is_err(), "the sender is dropped");
    });
}

#[test]
fn a_future_that_is_too_late_times_out_and_is_dropped() {
    each_loop(|mut reactor| {
        let (inside, dropped) = noted();
        let late = reactor.timeout(TICK, async move {
            let _inside = inside;
            pending::<()>().await;
        });
        let late = reactor.block_on(late).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert_eq!(late.to_string(), "timed out after 0.01 s");
        assert!(dropped.get());
        let early = reactor.timeout(Duration::MAX, ready(7));
        assert_eq!(reactor.block_on(early).unwrap(), 7);
    });
}

#[test]
fn a_result_that_is_ready_when_a_late_loop_looks_is_no_timeout() {
    each_loop(|mut reactor| {
        let (promise, deferred) = Deferred::<u32, String>::new();
        let bounded = reactor.timeout(TICK, deferred);
        reactor.call_soon(move |reactor| {
            keep_busy(reactor, 2 * TICK);
            reactor.call_soon(move |_| promise.complete(Ok(7)));
        });
        assert_eq!(reactor.block_on(bounded).unwrap(), Ok(7));
    });
}

/// The calls of a repetition: the time of each, and how many it skipped.
type CallLog = Rc<RefCell<Vec<(Duration, u64)>>>;

fn until(reactor: &mut Reactor, calls: &CallLog, count: usize) {
    while calls.borrow().len() < count {
        reactor.turn(None).expect("a turn");
    }
}

#[test]
fn a_long_call_does_not_shift_later_calls() {
    each_loop(|mut reactor| {
        let (calls, begun) = (CallLog::default(), reactor.now());
        let noted = Rc::clone(&calls);
        let ticking = reactor.call_every(TICK, move |reactor, skipped| {
            noted.borrow_mut().push((reactor.now(), skipped));
            let first = noted.borrow().len() == 1;
            keep_busy(reactor, if first { TICK * 7 / 2 } else { TICK / 4 });
        });
        until(&mut reactor, &calls, 4);
        drop(ticking);
        let calls = calls.take();
        let mut passed = 0;
        for (at, skipped) in &calls {
            passed += 1 + u32::try_from(*skipped).unwrap();
            assert!(*at >= begun + TICK * passed, "{calls:?}");
        }
        // The first call skips three; on a busy machine more may be skipped.
        assert!(calls[1].1 >= 2, "{calls:?}");
    });
}

#[test]
fn a_dropped_timer_ends_the_repetition_and_a_detached_one_does_not() {
    each_loop(|mut reactor| {
        let (inside, dropped) = noted();
        let ticking = reactor.call_every(Duration::ZERO, move |_, _| _ = &inside);
        reactor.turn(None).unwrap();
        drop(ticking);
        assert!(dropped.get(), "what it was to do is dropped with the timer");
        let calls = CallLog::default();
        let noted = Rc::clone(&calls);
        reactor
            .call_every(Duration::ZERO, move |_, _| noted.borrow_mut().push(Default::default()))
            .detach();
        until(&mut reactor, &calls, 3);
        drop(reactor);
        assert_eq!(Rc::strong_count(&calls), 1, "it goes with the reactor");
    });
}

#[test]
fn a_repeating_call_can_end_itself() {
    each_loop(|mut reactor| {
        let slot = Rc::new(Cell::new(None::<Timer>));
        let (calls, own) = (CallLog::default(), Rc::clone(&slot));
        let noted = Rc::clone(&calls);
        slot.set(Some(reactor.call_every(Duration::ZERO, move |_, skipped| {
            noted.borrow_mut().push((Duration::ZERO, skipped));
            drop(own.take());
        })));
        reactor.turn(None).unwrap();
        assert_eq!(calls.borrow().len(), 1);
        assert_eq!(Rc::strong_count(&calls), 1, "what it was to do is dropped when it returns");
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(calls.borrow().len(), 1);
    });
}

#[test]
fn a_panic_ends_a_repeating_call() {
    each_loop(|mut reactor| {
        let ticking = reactor.call_every(Duration::ZERO, |_, _| panic!("at the first tick"));
        assert!(catch_unwind(AssertUnwindSafe(|| reactor.turn(None))).is_err());
        reactor.turn(Some(Duration::ZERO)).unwrap();
        drop(ticking);
    });
}
