//! `run`: starting, stopping, and running again.

#[path = "util/each_loop.rs"]
mod each_loop;

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use each_loop::each_loop;
use procession_core::Deferred;
use procession_reactor::{
    Handle, Interest, NotRunning, Phase, Reactor, Stopped, SystemEvent, TriggerResult,
};

/// Case RT-12.
#[test]
fn only_a_running_reactor_can_be_stopped_and_once() {
    each_loop(|mut reactor| {
        reactor.stop(); // no effect
        assert_eq!(reactor.try_stop(), Err(NotRunning));
        reactor.call_soon(|reactor| {
            assert!(reactor.is_running());
            assert_eq!(reactor.try_stop(), Ok(()));
            assert_eq!(reactor.try_stop(), Err(NotRunning));
        });
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        assert!(!reactor.is_running());
        let remote = reactor.remote();
        reactor.call_when_running(move |_| {
            thread::spawn(move || remote.call(Handle::stop));
        });
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
    });
}

/// Case RT-13.
#[test]
fn calls_when_running_are_made_in_their_order() {
    each_loop(|mut reactor| {
        let order = Rc::new(RefCell::new(Vec::new()));
        for name in ["a", "b"] {
            let order = Rc::clone(&order);
            reactor.call_when_running(move |reactor| {
                assert!(reactor.is_running());
                order.borrow_mut().push(name);
            });
        }
        let last = Rc::clone(&order);
        reactor.call_when_running(move |reactor| {
            reactor.call_when_running(move |reactor| {
                last.borrow_mut().push("c");
                reactor.stop();
            });
        });
        reactor.run().unwrap();
        assert_eq!(*order.borrow(), ["a", "b", "c"]);
    });
}

/// Case RT-14, with sockets instead of children.
#[test]
fn a_second_run_serves_old_and_new_sources() {
    each_loop(|mut reactor| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let register = |reactor: &Reactor, name: &'static str| {
            let (here, there) = UnixStream::pair().expect("descriptors are left");
            let seen = Rc::clone(&seen);
            let watch = move |socket: &mut procession_reactor::Registered<'_, UnixStream>, _| {
                let n = socket.read(&mut [0; 8]).expect("there is something to read");
                seen.borrow_mut().push((name, n));
                if seen.borrow().len() == 2 {
                    socket.reactor().stop();
                }
            };
            reactor.register(here, Interest::READABLE, watch).expect("sockets can be watched");
            there
        };
        let mut old = register(&reactor, "old");
        reactor.call_soon(Handle::stop);
        reactor.run().unwrap();
        let mut new = register(&reactor, "new");
        old.write_all(b"x").unwrap();
        new.write_all(b"yy").unwrap();
        reactor.run().unwrap();
        seen.borrow_mut().sort_unstable();
        assert_eq!(*seen.borrow(), [("new", 2), ("old", 1)]);
    });
}

#[test]
fn a_before_trigger_delays_the_phases_after_it() {
    each_loop(|mut reactor| {
        let order = Rc::new(RefCell::new(Vec::new()));
        let add = |phase, name: &'static str| {
            let order = Rc::clone(&order);
            reactor.add_system_event_trigger(phase, SystemEvent::Shutdown, move |_| {
                order.borrow_mut().push(name);
            });
        };
        add(Phase::After, "after");
        add(Phase::During, "during");
        add(Phase::Before, "before");
        let done = Rc::clone(&order);
        let wait = move |reactor: &Handle| {
            let (promise, deferred) = Deferred::<(), io::Error>::new();
            reactor.call_later(Duration::from_millis(20), move |reactor| {
                assert!(reactor.is_running());
                done.borrow_mut().push("waited");
                promise.complete(Ok(()));
            });
            deferred
        };
        reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, wait);
        let removed =
            reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, |_| -> () {
                unreachable!()
            });
        assert!(removed.remove());
        assert!(!removed.remove());
        reactor.call_soon(Handle::stop);
        reactor.run().unwrap();
        assert_eq!(*order.borrow(), ["before", "waited", "during", "after"]);
        reactor.call_soon(Handle::stop);
        reactor.run().unwrap();
        assert_eq!(order.borrow().len(), 4, "triggers run once");
    });
}

#[test]
fn an_optional_trigger_result_that_is_none_is_not_waited_for() {
    fn is_result(_: &impl TriggerResult) {}
    let none: Option<Deferred<(), io::Error>> = None;
    is_result(&none);
    let mut reactor = Reactor::new().unwrap();
    reactor.add_system_event_trigger(Phase::Before, SystemEvent::Startup, move |_| none);
    reactor.call_when_running(Handle::stop);
    reactor.run().unwrap();
}

#[test]
fn turn_and_block_on_do_not_count_as_a_run() {
    each_loop(|mut reactor| {
        let started = Rc::new(Cell::new(false));
        let set = Rc::clone(&started);
        reactor.add_system_event_trigger(Phase::Before, SystemEvent::Startup, move |_| {
            set.set(true);
        });
        reactor.call_soon(|reactor| assert_eq!(reactor.try_stop(), Err(NotRunning)));
        reactor.turn(None).unwrap();
        let handle = reactor.handle();
        reactor.block_on(async move { assert_eq!(handle.try_stop(), Err(NotRunning)) });
        assert!(!started.get());
    });
}

#[test]
fn a_stop_during_startup_is_honoured() {
    each_loop(|mut reactor| {
        reactor.add_system_event_trigger(Phase::Before, SystemEvent::Startup, Handle::stop);
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
    });
}

/// The stop comes from a trigger, from a call, and from a call of another thread.
#[test]
fn a_stop_while_the_startup_is_pending_ends_it() {
    each_loop(|mut reactor| {
        let stops: [fn(&Handle); 3] = [
            |reactor| assert_eq!(reactor.try_stop(), Ok(())),
            |reactor| reactor.call_soon(Handle::stop),
            |reactor| {
                let remote = reactor.remote();
                drop(thread::spawn(move || remote.call(Handle::stop)));
            },
        ];
        for stop in stops {
            let order = Rc::new(RefCell::new(Vec::new()));
            let add = |phase, event, name: &'static str| {
                let order = Rc::clone(&order);
                reactor.add_system_event_trigger(phase, event, move |_| {
                    order.borrow_mut().push(name);
                });
            };
            let (promise, deferred) = Deferred::<(), io::Error>::new();
            let pending = move |reactor: &Handle| {
                stop(reactor);
                deferred
            };
            reactor.add_system_event_trigger(Phase::Before, SystemEvent::Startup, pending);
            add(Phase::Before, SystemEvent::Startup, "before startup");
            add(Phase::During, SystemEvent::Startup, "startup");
            add(Phase::During, SystemEvent::Shutdown, "shutdown");
            let late = reactor.call_later(Duration::from_secs(10), |_| panic!("it is not ended"));
            assert_eq!(reactor.run().unwrap(), Stopped::Called);
            assert_eq!(*order.borrow(), ["before startup", "shutdown"]);
            late.cancel();
            promise.complete(Ok(())); // nothing waits for it any more
            reactor.call_when_running(Handle::stop);
            assert_eq!(reactor.run().unwrap(), Stopped::Called);
            assert_eq!(*order.borrow(), ["before startup", "shutdown", "startup"]);
        }
    });
}

#[test]
fn a_thread_has_one_reactor_which_is_the_current_one() {
    assert!(Handle::try_current().is_none());
    let mut reactor = Reactor::new().unwrap();
    assert_eq!(Reactor::new().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    let called = Rc::new(Cell::new(false));
    let set = Rc::clone(&called);
    Handle::current().call_soon(move |_| set.set(true));
    reactor.turn(None).unwrap();
    assert!(called.get());
    assert!(<dyn procession_core::Clock>::current().is_some());
    thread::spawn(|| drop(Reactor::new().unwrap())).join().unwrap();
    drop(reactor);
    assert!(Handle::try_current().is_none());
    assert!(<dyn procession_core::Clock>::current().is_none());
}
