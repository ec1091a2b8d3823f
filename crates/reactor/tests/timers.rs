//! Delayed calls, by the real clock.

#[path = "util/block.rs"]
mod block;
#[path = "util/bound.rs"]
mod bound;
#[path = "util/each_loop.rs"]
mod each_loop;
#[path = "util/until.rs"]
mod until;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use block::block;
use bound::bound;
use each_loop::each_loop;
use procession_reactor::{DelayedCall, Handle, TimerError};
use until::until;

const MS: Duration = Duration::from_millis(1);

/// Case RT-01.
#[test]
fn calls_run_in_the_order_of_deadlines_and_of_creation() {
    each_loop(|mut reactor| {
        let order = Rc::new(RefCell::new(Vec::new()));
        let log = |n: u32| {
            let order = Rc::clone(&order);
            move |_: &Handle| order.borrow_mut().push(n)
        };
        for n in 0..10 {
            reactor.call_later(20 * MS, log(n));
        }
        reactor.call_later(10 * MS, log(100));
        block(&reactor, 50 * MS);
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(*order.borrow(), [100, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });
}

/// Case RT-02.
#[test]
fn a_call_is_cancelled_once_and_a_second_cancel_says_why_it_fails() {
    each_loop(|mut reactor| {
        let cancelled = reactor.call_later(Duration::ZERO, |_| unreachable!());
        assert_eq!(cancelled.try_cancel(), Ok(()));
        assert_eq!(cancelled.try_cancel(), Err(TimerError::AlreadyCancelled));
        let own: Rc<RefCell<Option<DelayedCall>>> = Rc::default();
        let inside = Rc::new(Cell::new(None));
        let (own_inside, set) = (Rc::clone(&own), Rc::clone(&inside));
        let call = reactor.call_later(Duration::ZERO, move |_| {
            let own = own_inside.borrow().clone().unwrap();
            set.set(Some(own.try_cancel()));
        });
        *own.borrow_mut() = Some(call.clone());
        until(&mut reactor, || inside.get().is_some());
        assert_eq!(inside.get(), Some(Err(TimerError::AlreadyCalled)));
        assert_eq!(call.try_cancel(), Err(TimerError::AlreadyCalled));
        assert!(!call.is_active());
    });
}

/// Case RT-03.
#[test]
fn the_first_of_three_due_calls_can_cancel_the_others() {
    each_loop(|mut reactor| {
        let ran = Rc::new(RefCell::new(Vec::new()));
        let calls: Rc<RefCell<Vec<DelayedCall>>> = Rc::default();
        for n in 0..3 {
            let (ran, others) = (Rc::clone(&ran), Rc::clone(&calls));
            let call = reactor.call_later(MS, move |_| {
                ran.borrow_mut().push(n);
                others.borrow().iter().for_each(DelayedCall::cancel);
            });
            calls.borrow_mut().push(call);
        }
        block(&reactor, 5 * MS);
        reactor.turn(Some(Duration::ZERO)).unwrap();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(*ran.borrow(), [0]);
    });
}

/// Case RT-04.
#[test]
fn a_call_that_is_reset_or_delayed_is_made_once_at_the_new_time() {
    each_loop(|mut reactor| {
        let made = Rc::new(RefCell::new(Vec::new()));
        let start = reactor.now();
        let log = |name: &'static str| {
            let made = Rc::clone(&made);
            move |reactor: &Handle| made.borrow_mut().push((name, reactor.now() - start))
        };
        let earlier = reactor.call_later(Duration::from_secs(60), log("earlier"));
        let later = reactor.call_later(Duration::ZERO, log("later"));
        let delayed = reactor.call_later(5 * MS, log("delayed"));
        earlier.reset(10 * MS);
        later.reset(20 * MS);
        delayed.delay(25 * MS);
        until(&mut reactor, || made.borrow().len() == 3);
        reactor.turn(Some(30 * MS)).unwrap();
        let made = made.borrow();
        let names: Vec<_> = made.iter().map(|made| made.0).collect();
        assert_eq!(names, ["earlier", "later", "delayed"]);
        let least = [10 * MS, 20 * MS, 30 * MS];
        assert!(made.iter().zip(least).all(|(made, least)| made.1 >= least), "{made:?}");
        assert_eq!(later.try_reset(MS), Err(TimerError::AlreadyCalled));
        assert_eq!(delayed.try_delay(MS), Err(TimerError::AlreadyCalled));
    });
}

/// Case RT-05.
#[test]
fn calls_are_never_early_and_the_wait_for_them_does_not_spin() {
    each_loop(|mut reactor| {
        let left = Rc::new(Cell::new(600_u32));
        for n in 0..600 {
            let after = Duration::from_micros(if n < 500 { 1400 } else { 300 });
            let (start, left) = (reactor.now(), Rc::clone(&left));
            reactor.call_later(after, move |reactor| {
                assert!(reactor.now() - start >= after);
                left.set(left.get() - 1);
            });
        }
        until(&mut reactor, || left.get() == 0);

        let fired = Rc::new(Cell::new(0_u32));
        fn again(reactor: &Handle, fired: &Rc<Cell<u32>>) {
            let fired = Rc::clone(fired);
            reactor.call_later(Duration::from_micros(1500), move |reactor| {
                fired.set(fired.get() + 1);
                again(reactor, &fired);
            });
        }
        again(&reactor, &fired);
        let mut turns = 0;
        until(&mut reactor, || {
            turns += 1;
            fired.get() == 100
        });
        assert!(turns <= 220, "{turns} turns for 100 calls");
    });
}

/// Case RT-06.
#[test]
fn calls_far_away_do_not_overflow_and_can_be_cancelled() {
    each_loop(|mut reactor| {
        let century = Duration::from_secs(100 * 365 * 24 * 3600);
        let far = [Duration::MAX, century].map(|far| reactor.call_later(far, |_| unreachable!()));
        let fired = Rc::new(Cell::new(false));
        let set = Rc::clone(&fired);
        reactor.call_later(10 * MS, move |_| set.set(true));
        until(&mut reactor, || fired.get());
        reactor.turn(Some(5 * MS)).unwrap();
        assert!(reactor.now() < bound(Duration::from_secs(5)));
        far[1].delay(Duration::MAX);
        far[1].reset(Duration::MAX);
        assert!(far.iter().all(|far| far.try_cancel() == Ok(())));
        assert_eq!(reactor.next_deadline(), None);
    });
}

/// Case RT-15.
#[test]
fn a_turn_with_a_zero_timeout_does_not_wait() {
    each_loop(|mut reactor| {
        reactor.call_later(Duration::from_secs(5), |_| unreachable!());
        let start = reactor.now();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(reactor.now() - start < bound(Duration::from_secs(1)));
    });
}

/// Case RT-16.
#[test]
fn a_late_repeated_call_does_not_catch_up() {
    each_loop(|mut reactor| {
        let times: Rc<RefCell<Vec<Duration>>> = Rc::default();
        fn again(reactor: &Handle, times: &Rc<RefCell<Vec<Duration>>>) {
            let times = Rc::clone(times);
            reactor.call_later(10 * MS, move |reactor| {
                let first = times.borrow().is_empty();
                if first {
                    block(reactor, 100 * MS);
                }
                times.borrow_mut().push(reactor.now());
                again(reactor, &times);
            });
        }
        again(&reactor, &times);
        until(&mut reactor, || times.borrow().len() == 3);
        let times = times.borrow();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 10 * MS), "{times:?}");
    });
}

/// Case RT-25.
#[test]
fn cancelled_calls_are_dropped_at_once_and_survivors_are_made() {
    each_loop(|mut reactor| {
        let alive = Rc::new(());
        let fired = Rc::new(Cell::new(0));
        for _ in 0..20 {
            let all: Vec<_> = (0..10_000)
                .map(|_| {
                    let (alive, fired) = (Rc::clone(&alive), Rc::clone(&fired));
                    reactor.call_later(20 * MS, move |_| {
                        fired.set(fired.get() + 1);
                        drop(alive);
                    })
                })
                .collect();
            all[1..].iter().for_each(DelayedCall::cancel);
            assert!(Rc::strong_count(&alive) <= 21);
        }
        until(&mut reactor, || fired.get() == 20);
        assert_eq!(Rc::strong_count(&alive), 1);
        assert_eq!(reactor.next_deadline(), None);
    });
}

#[test]
fn a_call_of_zero_made_in_a_call_waits_for_the_next_turn() {
    each_loop(|mut reactor| {
        let turns = Rc::new(Cell::new(0));
        let inside = Rc::clone(&turns);
        reactor.call_later(Duration::ZERO, move |reactor| {
            reactor.call_later(Duration::ZERO, move |_| inside.set(inside.get() + 1));
        });
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(turns.get(), 0);
        until(&mut reactor, || turns.get() == 1);
    });
}

#[test]
fn a_handle_reports_the_state_of_its_own_call_however_many_came_since() {
    each_loop(|mut reactor| {
        let made = reactor.call_later(Duration::ZERO, |_| ());
        let cancelled = reactor.call_later(Duration::ZERO, |_| unreachable!());
        cancelled.clone().cancel();
        let fired = Rc::new(Cell::new(0));
        for _ in 0..3 {
            for _ in 0..10_000 {
                let fired = Rc::clone(&fired);
                reactor.call_later(Duration::ZERO, move |_| fired.set(fired.get() + 1));
            }
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        until(&mut reactor, || fired.get() == 30_000);
        let later = reactor.call_later(Duration::from_secs(60), |_| unreachable!());
        assert_eq!(made.clone().try_cancel(), Err(TimerError::AlreadyCalled));
        assert_eq!(cancelled.try_reset(MS), Err(TimerError::AlreadyCancelled));
        assert!(later.is_active());
        drop(reactor);
        assert_eq!(later.try_delay(MS), Err(TimerError::AlreadyCancelled));
        assert_eq!(made.try_cancel(), Err(TimerError::AlreadyCalled));
    });
}
