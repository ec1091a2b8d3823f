//! Futures on the loop.

#[path = "util/each_loop.rs"]
mod each_loop;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use each_loop::each_loop;
use procession_core::{Deferred, Failed};
use procession_reactor::Handle;

#[test]
fn a_future_can_be_woken_from_another_thread() {
    each_loop(|mut reactor| {
        let mut started = false;
        let (send, receive) = std::sync::mpsc::channel::<Waker>();
        let other = thread::spawn(move || receive.recv().map(Waker::wake));
        let here = thread::current().id();
        reactor.block_on(poll_fn(move |context| {
            assert_eq!(thread::current().id(), here);
            if started {
                return Poll::Ready(());
            }
            started = true;
            send.send(context.waker().clone()).unwrap();
            Poll::Pending
        }));
        other.join().unwrap().unwrap();
    });
}

#[test]
fn block_on_sees_what_callbacks_complete() {
    each_loop(|mut reactor| {
        let (promise, deferred) = Deferred::<u32, Failed<()>>::new();
        reactor.call_later(Duration::from_millis(5), move |_| promise.complete(Ok(42)));
        assert_eq!(reactor.block_on(deferred), Ok(42));
        let (_promise, never) = Deferred::<u32, ()>::new();
        let late = never.timeout(Duration::from_millis(5));
        assert_eq!(reactor.block_on(late), Err(Failed::TimedOut));
    });
}

#[test]
fn a_cancelled_task_is_dropped_and_a_dropped_handle_lets_it_run() {
    each_loop(|mut reactor| {
        let alive = Rc::new(());
        let inside = Rc::clone(&alive);
        let task = reactor.spawn_local(async move {
            let _inside = inside;
            pending::<()>().await;
        });
        reactor.turn(None).unwrap();
        assert!(!task.is_finished());
        task.cancel();
        reactor.turn(None).unwrap();
        assert_eq!(Rc::strong_count(&alive), 1);

        let done = Rc::new(Cell::new(false));
        let set = Rc::clone(&done);
        drop(reactor.spawn_local(async move { set.set(true) }));
        reactor.turn(None).unwrap();
        assert!(done.get());
    });
}

#[test]
fn tasks_that_wake_themselves_leave_others_their_turn() {
    each_loop(|mut reactor| {
        let polls = Rc::new(Cell::new(0));
        let count = Rc::clone(&polls);
        reactor.spawn_local(poll_fn(move |context| -> Poll<()> {
            count.set(count.get() + 1);
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        for turn in 1..=3 {
            reactor.turn(None).unwrap();
            assert_eq!(polls.get(), turn);
        }
    });
}

#[test]
fn sleeps_end_in_the_order_of_their_times() {
    each_loop(|mut reactor| {
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = [30, 10, 20]
            .map(|ms| {
                let order = Rc::clone(&order);
                reactor.spawn_local(async move {
                    Handle::current().sleep(Duration::from_millis(ms)).await;
                    order.borrow_mut().push(ms);
                })
            })
            .into();
        reactor.block_on(async {
            for task in tasks {
                task.await;
            }
        });
        assert_eq!(*order.borrow(), [10, 20, 30]);
        reactor.turn(Some(Duration::ZERO)).unwrap(); // takes the last wake-up
        drop(reactor.sleep(Duration::from_secs(60)));
        assert_eq!(reactor.next_deadline(), None, "a dropped sleep leaves no timer");
    });
}
