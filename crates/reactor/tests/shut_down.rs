//! `shut_down`: ending a loop that is driven by turns.

#[path = "util/each_loop.rs"]
mod each_loop;

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use each_loop::each_loop;
use procession_core::Deferred;
use procession_reactor::driver::OnEnd;
use procession_reactor::{Handle, NotRunning, Phase, Reactor, Stopped, SystemEvent};

type CallOrder = Rc<RefCell<Vec<&'static str>>>;

fn add(reactor: &Handle, order: &CallOrder, phase: Phase, name: &'static str) {
    let order = Rc::clone(order);
    reactor.add_system_event_trigger(phase, SystemEvent::Shutdown, move |reactor| {
        assert!(reactor.is_running());
        assert_eq!(reactor.try_stop(), Err(NotRunning));
        order.borrow_mut().push(name);
    });
}

/// A transport that records its close.
struct ClosesAtStop(CallOrder);

impl OnEnd for ClosesAtStop {
    fn stopped(self: Rc<Self>) {
        self.0.borrow_mut().push("closed");
    }
}

#[test]
fn it_does_once_what_a_run_does_at_its_end() {
    each_loop(|mut reactor| {
        let order = CallOrder::default();
        let open = Rc::new(ClosesAtStop(Rc::clone(&order)));
        let weak: Rc<dyn OnEnd> = open.clone();
        let watch = reactor.io().watch_end(Rc::downgrade(&weak));
        add(&reactor, &order, Phase::After, "after");
        add(&reactor, &order, Phase::During, "during");
        let waited = Rc::clone(&order);
        reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, |reactor| {
            let (promise, deferred) = Deferred::<(), io::Error>::new();
            reactor.call_later(Duration::from_millis(5), move |_| {
                waited.borrow_mut().push("waited");
                promise.complete(Ok(()));
            });
            deferred
        });
        reactor.add_system_event_trigger(Phase::Before, SystemEvent::Startup, |_| -> () {
            unreachable!("it is no startup")
        });
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(order.borrow().is_empty());
        for _ in 0..2 {
            reactor.shut_down().unwrap();
            assert!(!reactor.is_running());
            assert_eq!(*order.borrow(), ["waited", "during", "closed", "after"]);
        }
        drop(watch);
    });
}

#[test]
fn a_second_shut_down_runs_the_triggers_added_since() {
    each_loop(|mut reactor| {
        let order = CallOrder::default();
        for name in ["first", "second", "third"] {
            add(&reactor, &order, Phase::Before, name);
            reactor.shut_down().unwrap();
        }
        assert_eq!(*order.borrow(), ["first", "second", "third"]);
    });
}

#[test]
fn after_a_run_shut_down_does_nothing_and_does_not_affect_the_next_run() {
    each_loop(|mut reactor| {
        let order = CallOrder::default();
        add(&reactor, &order, Phase::Before, "run");
        reactor.call_when_running(Handle::stop);
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        reactor.shut_down().unwrap();
        assert_eq!(*order.borrow(), ["run"]);
        let turned = Rc::new(Cell::new(false));
        let set = Rc::clone(&turned);
        reactor.call_later(Duration::from_millis(2), move |reactor| {
            set.set(true);
            reactor.stop();
        });
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        assert!(turned.get(), "no stop request is left");
    });
}

#[test]
fn after_a_panic_shut_down_continues_with_the_next_trigger() {
    each_loop(|mut reactor| {
        let order = CallOrder::default();
        add(&reactor, &order, Phase::Before, "one");
        reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, |_| -> () {
            panic!("on purpose")
        });
        add(&reactor, &order, Phase::Before, "two");
        catch_unwind(AssertUnwindSafe(|| reactor.shut_down())).unwrap_err();
        assert!(!reactor.is_running());
        assert_eq!(*order.borrow(), ["one"]);
        reactor.shut_down().unwrap();
        assert_eq!(*order.borrow(), ["one", "two"]);
    });
}

/// `shut_down` completes a stop that a panic interrupted.
#[test]
fn shut_down_completes_a_stop_that_a_panic_cut_short() {
    each_loop(|mut reactor: Reactor| {
        reactor.call_when_running(|reactor| {
            reactor.stop();
            panic!("on purpose");
        });
        catch_unwind(AssertUnwindSafe(|| reactor.run())).unwrap_err();
        reactor.shut_down().unwrap();
        let slow = async { Handle::current().sleep(Duration::from_millis(1)).await };
        assert_eq!(reactor.run_until(slow), Ok(()));
    });
}
