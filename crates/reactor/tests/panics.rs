//! After a panic in a callback the loop works as before.

#[path = "util/bound.rs"]
mod bound;
#[path = "util/each_loop.rs"]
mod each_loop;
#[path = "util/until.rs"]
mod until;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use each_loop::each_loop;
use procession_core::{Deferred, Signal};
use procession_reactor::{Handle, Interest, Phase, Reactor, Stopped, SystemEvent};
use until::until;

fn panics(reactor: &mut Reactor) {
    let caught = catch_unwind(AssertUnwindSafe(|| reactor.run()));
    let payload = caught.expect_err("a callback panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
    assert!(!reactor.is_running());
}

fn panic_now(_: &Handle) {
    panic!("on purpose");
}

#[test]
fn run_goes_on_after_a_panic_in_each_kind_of_callback() {
    each_loop(|mut reactor| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let log = |name: &'static str| {
            let seen = Rc::clone(&seen);
            move || seen.borrow_mut().push(name)
        };
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let source =
            reactor.register(reader, Interest::READABLE, |_, _| panic!("on purpose")).unwrap();
        panics(&mut reactor);
        assert!(!source.is_open(), "a source whose closure panicked is closed");

        let later = log("timer");
        reactor.call_later(Duration::ZERO, panic_now);
        reactor.call_later(Duration::ZERO, move |_| later());
        panics(&mut reactor);

        let soon = log("soon");
        reactor.call_soon(panic_now);
        reactor.call_soon(move |_| soon());
        panics(&mut reactor);

        reactor.remote().call(panic_now);
        let seen_by_remote = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let set = std::sync::Arc::clone(&seen_by_remote);
        reactor.remote().call(move |_| set.store(true, std::sync::atomic::Ordering::SeqCst));
        panics(&mut reactor);

        let task = log("task");
        let bad = reactor.spawn_local(async { panic!("on purpose") });
        reactor.spawn_local(async move { task() });
        panics(&mut reactor);
        drop::<procession_reactor::JoinHandle<()>>(bad);

        reactor.add_system_event_trigger(Phase::During, SystemEvent::Startup, panic_now);
        panics(&mut reactor);

        reactor.call_later(Duration::from_millis(5), Handle::stop);
        reactor.run().unwrap();
        assert_eq!(*seen.borrow(), ["timer", "soon", "task"]);
        assert!(seen_by_remote.load(std::sync::atomic::Ordering::SeqCst));
    });
}

#[test]
fn a_stop_request_before_a_panic_stops_the_next_run() {
    each_loop(|mut reactor| {
        reactor.call_soon(|reactor| {
            reactor.stop();
            panic_now(reactor);
        });
        panics(&mut reactor);
        let turned = Rc::new(RefCell::new(false));
        let set = Rc::clone(&turned);
        reactor.call_later(Duration::from_millis(20), move |reactor| {
            set.replace(true);
            reactor.stop();
        });
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        assert!(!*turned.borrow(), "the stop request came before");
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        assert!(*turned.borrow(), "once");
    });
}

#[test]
fn a_kept_stop_request_ends_a_run_without_waiting_for_its_startup() {
    each_loop(|mut reactor| {
        reactor.call_soon(|reactor| {
            reactor.stop();
            panic_now(reactor);
        });
        panics(&mut reactor);
        let (promise, deferred) = Deferred::<(), io::Error>::new();
        reactor.add_system_event_trigger(Phase::Before, SystemEvent::Startup, |_| deferred);
        reactor.call_later(Duration::from_secs(10), |_| panic!("it waits"));
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        drop(promise);
    });
}

#[test]
fn the_other_events_of_the_batch_are_delivered_after_a_panic() {
    each_loop(|mut reactor| {
        let served = Rc::new(RefCell::new(Vec::new()));
        let mut writers = Vec::new();
        for n in 0..3 {
            let (reader, mut writer) = io::pipe().unwrap();
            writer.write_all(b"x").unwrap();
            writers.push(writer);
            let served = Rc::clone(&served);
            let watch = move |source: &mut procession_reactor::Registered<'_, io::PipeReader>,
                              _| {
                source.close();
                served.borrow_mut().push(n);
                assert!(served.borrow().len() > 1, "on purpose");
            };
            reactor.register(reader, Interest::READABLE, watch).unwrap();
        }
        catch_unwind(AssertUnwindSafe(|| reactor.turn(None))).unwrap_err();
        assert_eq!(served.borrow().len(), 1);
        until(&mut reactor, || served.borrow().len() == 3);
    });
}

#[test]
fn a_watch_whose_callback_panics_ends() {
    let mut reactor = Reactor::new().unwrap().without_signals();
    let watch = reactor.on_signal(Signal::WINCH, panic_now).unwrap();
    signal_hook::low_level::raise(Signal::WINCH.as_raw()).unwrap();
    panics(&mut reactor);
    signal_hook::low_level::raise(Signal::WINCH.as_raw()).unwrap();
    reactor.turn(Some(Duration::from_millis(5))).unwrap();
    drop(watch);
}

#[test]
fn a_panic_in_a_future_unwinds_out_of_block_on() {
    let mut reactor = Reactor::new().unwrap();
    let future = poll_fn(|_| -> Poll<()> { panic!("on purpose") });
    catch_unwind(AssertUnwindSafe(|| reactor.block_on(future))).unwrap_err();
    assert_eq!(reactor.block_on(async { 1 }), 1);
}
