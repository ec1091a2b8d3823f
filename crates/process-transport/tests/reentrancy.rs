//! Every action that a program may take, in every callback; and a panic in every callback, and in
//! every other value that a program gives to the loop.
#![cfg(feature = "reactor")]

mod util;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use procession_core::Signal;
use procession_process_transport::{Fd, SpawnProcess};
use procession_protocol::{Pace, Process, Producer, Target, Transport};
use procession_reactor::Handle;

use crate::util::{Event, Record, Recorder, WATCHDOG, behaviour, children, command, ms, sh};

/// The callbacks that the child of these tests causes.
const CALLBACKS: [&str; 12] = [
    "made", "full", "drained", "data 1", "data 2", "data 5", "lost 0", "lost 1", "lost 2",
    "lost 5", "exited", "ended",
];

/// The script of a child that causes each of these callbacks.
const SCRIPT: &str = "head -c 200000 >/dev/null; echo out; echo err >&2; echo socket >&5; exit 3";

/// Returns the name of a callback.
fn name(event: &Event) -> String {
    match event {
        Event::Made => "made".to_owned(),
        Event::Data(fd, _) => format!("data {fd}"),
        Event::ReadClosed(fd) => format!("read closed {fd}"),
        Event::Lost(fd) => format!("lost {fd}"),
        Event::Full(_) => "full".to_owned(),
        Event::Drained(_) => "drained".to_owned(),
        Event::Exited(_) => "exited".to_owned(),
        Event::Ended(_) => "ended".to_owned(),
    }
}

/// Writes more than the queue's limit, with which the script begins.
fn write_past_the_limit(process: &Process) {
    process.write(vec![b'.'; 200_000]);
}

/// An action of a program inside a callback.
type Action = (&'static str, fn(&Process));

/// Calls `act` for fds 0 to 5. The child does not have all of them.
fn for_each_fd(act: impl Fn(i32)) {
    (0..6).for_each(act);
}

const ACTIONS: [Action; 17] = [
    ("spawn", |_| {
        let (recorder, _) = Recorder::new();
        Handle::current().spawn_process(recorder, command("/bin/true")).expect("it starts");
    }),
    ("close", |process| for_each_fd(|fd| process.close_child_fd(fd))),
    ("abort", |process| for_each_fd(|fd| process.abort_connection(fd))),
    ("shut down", |process| for_each_fd(|fd| process.shutdown_write(fd))),
    ("lose", Process::lose_connection),
    ("close all", Process::close_all),
    ("pause and resume", |process| {
        for_each_fd(|fd| {
            process.pause(fd);
            process.pause(fd);
            process.resume(fd);
            process.resume(fd);
        });
    }),
    ("resume later", |process| {
        process.pause_all();
        let process = process.clone();
        Handle::current().call_later(ms(3), move |_| process.resume_all());
    }),
    ("write", |process| {
        for_each_fd(|fd| {
            process.write_to_child(fd, "more\n").ok();
        });
    }),
    ("limits", |process| {
        for_each_fd(|fd| {
            process.set_write_limits(fd, 1, 0).ok();
            process.set_write_hard_limit(fd, Some(1)).ok();
        });
    }),
    ("signal", |process| drop(process.signal(Signal::TERM))),
    ("signal the group", |process| drop(process.signal_group(Signal::TERM))),
    ("terminate", |process| process.terminate(Signal::TERM, ms(500)).done(drop)),
    ("terminate twice", |process| {
        process.terminate(Signal::CONT, ms(500)).done(drop);
        process.terminate(Signal::CONT, ms(500)).done(drop);
    }),
    ("timer", |process| {
        let process = process.clone();
        Handle::current().call_later(Duration::ZERO, move |_| process.lose_connection());
    }),
    ("forward", |process| {
        let null = std::fs::OpenOptions::new().write(true).open("/dev/null").expect("it exists");
        process.forward(1, Target::fd(null)).done(drop);
        process.forward(5, Target::child(process, 5)).done(drop);
    }),
    ("produce", |process| {
        drop(process.register_producer(0, Pace::Pull, ClosingProducer));
    }),
];

/// A producer without data that closes its descriptor.
struct ClosingProducer;

impl Producer for ClosingProducer {
    fn resume(&mut self, transport: &Transport) {
        transport.unregister_producer();
        transport.lose_connection();
    }
}

#[test]
fn the_script_causes_every_callback() {
    behaviour("the_script_causes_every_callback", |driver| {
        let child = driver.spawn(sh(SCRIPT).child_fd(5, Fd::socketpair()));
        write_past_the_limit(&child.process);
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 3);
        for callback in CALLBACKS {
            assert!(child.record.has(|event| name(event) == callback), "{callback}");
        }
    });
}

#[test]
fn every_action_is_allowed_in_every_callback() {
    behaviour("every_action_is_allowed_in_every_callback", |driver| {
        for (what, action) in ACTIONS {
            let mut records: Vec<(&str, Record)> = Vec::new();
            for callback in CALLBACKS {
                let mut calls = 0;
                let hook = move |process: &Process, event: &Event| {
                    if *event == Event::Made {
                        write_past_the_limit(process);
                    }
                    // A write in `drained` causes another `drained`, and so on without end.
                    if name(event) == callback && calls < 5 {
                        calls += 1;
                        action(process);
                    }
                };
                let child = sh(SCRIPT).process_group(0).child_fd(5, Fd::socketpair());
                records.push((callback, driver.spawn_with(child, hook).record));
            }
            for (callback, record) in records {
                driver.until(&format!("the end after {what} in {callback}"), WATCHDOG, || {
                    record.ended().is_some()
                });
                assert_eq!(record.lost(), [0, 1, 2, 5], "{what} in {callback}\n{record:?}");
            }
        }
        driver.until("all children are reaped", WATCHDOG, || children().is_empty());
        driver.turn();
    });
}

/// Turns the loop until a callback panics or `done` holds. Returns whether one panicked.
fn turn_to_panic(driver: &mut util::Driver, done: impl FnMut() -> bool) -> bool {
    let turns = AssertUnwindSafe(|| driver.until("a panic", WATCHDOG, done));
    catch_unwind(turns).is_err()
}

#[test]
fn a_panic_in_any_callback_is_its_protocols_last() {
    behaviour("a_panic_in_any_callback_is_its_protocols_last", |driver| {
        for callback in CALLBACKS {
            let healthy = driver.spawn(sh("sleep 0.1; echo healthy; exit 5"));
            let (recorder, record) = Recorder::with(move |process, event| {
                if *event == Event::Made {
                    write_past_the_limit(process);
                }
                assert!(name(event) != callback, "the panic that the test wants");
            });
            let child = sh(SCRIPT).child_fd(5, Fd::socketpair());
            let handle = driver.handle();
            let spawned = catch_unwind(AssertUnwindSafe(|| handle.spawn_process(recorder, child)));
            assert_eq!(spawned.is_err(), callback == "made");
            if callback != "made" {
                assert!(turn_to_panic(driver, || record.ended().is_some()), "{callback}");
            }
            let last = record.events().last().map(name);
            assert_eq!(last.as_deref(), Some(callback));
            let before = record.events().len();
            driver.drive_to_end(&healthy.record);
            assert_eq!((healthy.record.text(1).as_str(), healthy.record.code()), ("healthy\n", 5));
            driver.until("it is reaped", WATCHDOG, || children().is_empty());
            driver.turn();
            assert_eq!(record.events().len(), before, "no call after the panic in {callback}");
            driver.leaks().assert_no_fds();
        }
    });
}

/// Data whose owner panics when it is dropped.
struct PanicsOnDrop;

impl AsRef<[u8]> for PanicsOnDrop {
    fn as_ref(&self) -> &[u8] {
        b"data"
    }
}

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("the panic that the test wants");
    }
}

/// A panic outside of the protocol does not affect the protocol: it receives the rest of its
/// events.
#[test]
fn the_panic_of_an_owner_of_data_is_not_the_protocols() {
    behaviour("the_panic_of_an_owner_of_data_is_not_the_protocols", |driver| {
        // The data is written in the first run. It is dropped unwritten at the exit in the second.
        for script in ["read x; exit 4", "exec <&-; exit 4"] {
            let child = driver.spawn(sh(script));
            child.process.write(Bytes::from_owner(PanicsOnDrop));
            child.process.write("\n");
            child.process.close_stdin();
            let mut panics = 0;
            while turn_to_panic(driver, || child.record.ended().is_some()) {
                panics += 1;
            }
            assert_eq!((panics, child.record.code()), (1, 4), "{script}");
        }
    });
}

#[test]
fn the_panic_of_a_termination_callback_is_not_the_protocols() {
    behaviour("the_panic_of_a_termination_callback_is_not_the_protocols", |driver| {
        let child = driver.spawn(sh("sleep 100 & wait").process_group(0).drain_after_exit(ms(50)));
        child.process.terminate(Signal::TERM, ms(500)).done(|_| panic!("the panic that it wants"));
        assert!(turn_to_panic(driver, || child.record.ended().is_some()));
        child.process.signal_group(Signal::KILL).ok(); // its descendant lives on: it is not owned
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.signal(), 15);
    });
}

#[test]
fn the_panic_of_a_producer_is_the_protocols() {
    struct PanickingProducer;
    impl Producer for PanickingProducer {
        fn resume(&mut self, transport: &Transport) {
            transport.try_write("x").expect("the pipe is open");
        }
        fn stop(&mut self, _: &Transport) {
            panic!("the panic that the test wants");
        }
    }
    behaviour("the_panic_of_a_producer_is_the_protocols", |driver| {
        let (recorder, record) = Recorder::new();
        let process =
            driver.handle().spawn_process(recorder, sh("head -c 1; exec <&-; sleep 0.1")).unwrap();
        process.register_producer(0, Pace::Pull, PanickingProducer).unwrap();
        assert!(turn_to_panic(driver, || record.ended().is_some()));
        let before = record.events().len();
        driver.until("it is reaped", WATCHDOG, || process.pid().is_none());
        driver.turn();
        assert_eq!(record.events().len(), before);
    });
}

#[test]
fn a_child_that_is_spawned_in_every_callback_is_a_child_like_any_other() {
    let name = "a_child_that_is_spawned_in_every_callback_is_a_child_like_any_other";
    behaviour(name, |driver| {
        let ended = Rc::new(Cell::new(0));
        let spawned: Rc<RefCell<Vec<Record>>> = Rc::default();
        let (count, all) = (ended.clone(), spawned.clone());
        let hook = move |process: &Process, event: &Event| {
            if *event == Event::Made {
                write_past_the_limit(process);
            }
            let count = count.clone();
            let (recorder, record) = Recorder::with(move |_, event| {
                if matches!(event, Event::Ended(_)) {
                    count.set(count.get() + 1);
                }
            });
            Handle::current().spawn_process(recorder, sh("cat; echo x")).expect("it starts");
            record.has(|_| true).then(|| all.borrow_mut().push(record)).expect("it was made");
            // The new child's input is open. The child ends when the reactor closes its pipes.
        };
        let child = driver.spawn_with(
            sh("read x; echo out; exit 3").child_fds([(0, Fd::to_child()), (1, Fd::from_child())]),
            hook,
        );
        child.process.write("\n");
        let all = spawned.clone();
        driver.until("the end", WATCHDOG, || child.record.ended().is_some());
        let inner = all.borrow().len();
        assert_eq!(inner, child.record.events().len());
        assert_eq!(ended.get(), 0, "their inputs are open");
        driver.handle().call_soon(|reactor| reactor.stop());
        driver.reactor().run().unwrap(); // closes all pipes
        driver.until("the inner ones end", WATCHDOG, || ended.get() == inner);
    });
}
