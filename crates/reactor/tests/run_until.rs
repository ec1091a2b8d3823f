//! `run_until`: running until a future is ready.

#[path = "util/each_loop.rs"]
mod each_loop;

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use each_loop::each_loop;
use procession_core::Deferred;
use procession_reactor::{Handle, NotRunning, Phase, Reactor, Stopped, SystemEvent};

/// The events, in order.
type CallOrder = Rc<RefCell<Vec<&'static str>>>;

/// A part of a future that records its drop.
struct DropRecorder(CallOrder);

impl Drop for DropRecorder {
    fn drop(&mut self) {
        self.0.borrow_mut().push("dropped");
    }
}

fn add(reactor: &Handle, order: &CallOrder, phase: Phase, event: SystemEvent, name: &'static str) {
    let order = Rc::clone(order);
    reactor.add_system_event_trigger(phase, event, move |reactor| {
        assert!(reactor.is_running());
        order.borrow_mut().push(name);
    });
}

/// Adds triggers for the startup and the shutdown.
fn add_all(reactor: &Handle, order: &CallOrder) {
    add(reactor, order, Phase::Before, SystemEvent::Startup, "before startup");
    add(reactor, order, Phase::After, SystemEvent::Startup, "startup");
    add(reactor, order, Phase::Before, SystemEvent::Shutdown, "before shutdown");
    add(reactor, order, Phase::After, SystemEvent::Shutdown, "shutdown");
}

fn panics<R>(call: impl FnOnce() -> R) {
    let payload = catch_unwind(AssertUnwindSafe(call)).err().expect("it panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
}

#[test]
fn a_ready_future_ends_the_run_after_its_triggers() {
    each_loop(|mut reactor| {
        let order = CallOrder::default();
        add_all(&reactor, &order);
        let inside = Rc::clone(&order);
        let handle = reactor.handle();
        let output = reactor.run_until(async move {
            let _dropped = DropRecorder(Rc::clone(&inside));
            inside.borrow_mut().push("polled");
            handle.sleep(Duration::from_millis(2)).await;
            assert!(handle.is_running());
            handle.now() >= Duration::from_millis(2)
        });
        assert_eq!(output, Ok(true));
        assert!(!reactor.is_running());
        let all = ["before startup", "startup", "polled", "dropped", "before shutdown", "shutdown"];
        assert_eq!(*order.borrow(), all);
        // The reactor can run again.
        assert_eq!(reactor.run_until(async { 7 }), Ok(7));
        reactor.call_when_running(Handle::stop);
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
    });
}

#[test]
fn a_stop_drops_the_future_once_before_the_shutdown() {
    each_loop(|mut reactor| {
        let order = CallOrder::default();
        add_all(&reactor, &order);
        let inside = Rc::clone(&order);
        let handle = reactor.handle();
        let output = reactor.run_until(async move {
            let _dropped = DropRecorder(Rc::clone(&inside));
            handle.call_later(Duration::from_millis(2), Handle::stop);
            pending::<()>().await;
        });
        assert_eq!(output, Err(Stopped::Called));
        let all = ["before startup", "startup", "dropped", "before shutdown", "shutdown"];
        assert_eq!(*order.borrow(), all);
    });
}

/// The shutdown waits for a trigger that the drop of the future adds.
#[test]
fn a_trigger_that_the_dropped_future_adds_is_part_of_the_shutdown() {
    each_loop(|mut reactor| {
        struct Begin(Handle, CallOrder);
        impl Drop for Begin {
            fn drop(&mut self) {
                let order = Rc::clone(&self.1);
                let begin = move |reactor: &Handle| {
                    let (promise, deferred) = Deferred::<(), io::Error>::new();
                    reactor.call_later(Duration::from_millis(2), move |_| {
                        order.borrow_mut().push("waited");
                        promise.complete(Ok(()));
                    });
                    deferred
                };
                self.0.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, begin);
            }
        }
        let order = CallOrder::default();
        add(&reactor, &order, Phase::During, SystemEvent::Shutdown, "during shutdown");
        let begin = Begin(reactor.handle(), Rc::clone(&order));
        reactor.call_when_running(Handle::stop);
        let output = reactor.run_until(async move {
            let _begin = begin;
            pending::<()>().await;
        });
        assert_eq!(output, Err(Stopped::Called));
        assert_eq!(*order.borrow(), ["waited", "during shutdown"]);
    });
}

#[test]
fn a_stop_during_the_startup_drops_the_future_unpolled() {
    each_loop(|mut reactor| {
        let order = CallOrder::default();
        reactor.add_system_event_trigger(Phase::Before, SystemEvent::Startup, Handle::stop);
        let dropped = DropRecorder(Rc::clone(&order));
        let output = reactor.run_until(async move {
            let _dropped = dropped;
            unreachable!("it is not polled");
        });
        assert_eq!(output, Err::<(), _>(Stopped::Called));
        assert_eq!(*order.borrow(), ["dropped"]);
    });
}

#[test]
fn a_future_that_stops_the_reactor_and_is_ready_has_an_output() {
    each_loop(|mut reactor| {
        let output = reactor.run_until(async {
            Handle::current().stop();
            5
        });
        assert_eq!(output, Ok(5));
    });
}

#[test]
fn a_stop_in_the_shutdown_of_a_ready_future_finds_it_stopping() {
    each_loop(|mut reactor| {
        let asked = Rc::new(Cell::new(false));
        let set = Rc::clone(&asked);
        reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, move |reactor| {
            set.set(reactor.try_stop() == Err(NotRunning));
        });
        assert_eq!(reactor.run_until(async {}), Ok(()));
        assert!(asked.get());
    });
}

#[test]
fn a_panic_of_the_future_unwinds_and_the_reactor_runs_on() {
    each_loop(|mut reactor| {
        let order = CallOrder::default();
        add(&reactor, &order, Phase::Before, SystemEvent::Shutdown, "shutdown");
        let dropped = DropRecorder(Rc::clone(&order));
        panics(|| {
            reactor.run_until(async move {
                let _dropped = dropped;
                Handle::current().sleep(Duration::from_millis(1)).await;
                panic!("on purpose");
            })
        });
        assert!(!reactor.is_running());
        assert_eq!(*order.borrow(), ["dropped"]);
        assert_eq!(reactor.run_until(async { 1 }), Ok(1));
        assert_eq!(*order.borrow(), ["dropped", "shutdown"]);
    });
}

#[test]
fn a_future_whose_drop_panics_is_not_dropped_twice() {
    each_loop(|mut reactor| {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        let order = CallOrder::default();
        let dropped = DropRecorder(Rc::clone(&order));
        panics(|| {
            reactor.run_until(async move {
                let _dropped = dropped;
                let _panics = Panics;
                Handle::current().call_soon(Handle::stop);
                pending::<()>().await;
            })
        });
        assert_eq!(*order.borrow(), ["dropped"]);
        // The stop request is kept, as in `run`.
        assert_eq!(reactor.run_until(async { 1 }), Err(Stopped::Called));
        assert_eq!(reactor.run_until(async { 1 }), Ok(1));
    });
}

/// A ready future does not stop the next run.
#[test]
fn a_panic_in_the_shutdown_of_a_ready_future_stops_no_later_run() {
    each_loop(|mut reactor| {
        reactor.add_system_event_trigger(Phase::During, SystemEvent::Shutdown, |_| -> () {
            panic!("on purpose")
        });
        panics(|| reactor.run_until(async { 1 }));
        let slow = async { Handle::current().sleep(Duration::from_millis(1)).await };
        assert_eq!(reactor.run_until(slow), Ok(()));
    });
}

#[test]
fn a_future_cannot_make_a_second_reactor_and_a_deferred_is_a_future() {
    each_loop(|mut reactor| {
        let inner = reactor.run_until(async { Reactor::new().unwrap_err().kind() });
        assert_eq!(inner, Ok(io::ErrorKind::AlreadyExists));
        let (promise, deferred) = Deferred::<u32, ()>::new();
        reactor.call_later(Duration::from_millis(1), move |_| promise.complete(Ok(3)));
        assert_eq!(reactor.run_until(deferred), Ok(Ok(3)));
    });
}

#[test]
fn run_main_returns_the_error_of_its_future_or_why_it_stopped() {
    each_loop(|reactor| {
        assert_eq!(reactor.run_main(async { Ok::<(), &str>(()) }), Ok(Stopped::Finished));
    });
    each_loop(|reactor| assert_eq!(reactor.run_main(async { Err("no") }), Err("no")));
    each_loop(|reactor| {
        reactor.call_when_running(Handle::stop);
        assert_eq!(reactor.run_main(pending::<Result<(), &str>>()), Ok(Stopped::Called));
    });
    assert!(Handle::try_current().is_none(), "the reactor is gone");
}
