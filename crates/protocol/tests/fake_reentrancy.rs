//! Every action in every callback, a panic in every callback, and protocols that hold their handle.

#[path = "util/owner.rs"]
mod owner;
mod util;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use owner::LocalOwner;
use procession_core::{Signal, WriteError};
use procession_protocol::{
    ChildFd, ExitReason, FakeFd, FakeProcess, Process, ProcessDone, ProcessProtocol, SignalError,
};
use util::{Log, acting, heard, recorder};

const CALLBACKS: [&str; 8] =
    ["made", "data", "read_closed", "lost", "full", "drained", "exited", "ended"];

type Action = (&'static str, fn(&Process));

const ACTIONS: [Action; 20] = [
    ("write", |process| process.write("x")),
    ("write to a socketpair", |process| answer(process.write_to_child(5, "x"))),
    ("write to a reader", |process| answer(process.write_to_child(1, "x"))),
    ("write_sequence", |process| process.write_sequence(["x", "y"])),
    ("write_copy", |process| process.write_copy(b"x")),
    ("set_write_limits", |process| answer(process.set_write_limits(0, 1, 0))),
    ("set_write_hard_limit", |process| answer(process.set_write_hard_limit(0, Some(1)))),
    ("close_stdin", Process::close_stdin),
    ("close_stdout", Process::close_stdout),
    ("shutdown_write", |process| process.shutdown_write(5)),
    ("abort_connection", |process| process.abort_connection(0)),
    ("abort a reader", |process| process.abort_connection(1)),
    ("lose_connection", Process::lose_connection),
    ("close_all", Process::close_all),
    ("pause_all and resume_all", |process| {
        process.pause_all();
        process.resume_all();
    }),
    ("signal", |process| drop(process.signal(Signal::TERM))),
    ("signal_group", |process| drop(process.signal_group(Signal::TERM))),
    ("terminate", |process| process.terminate(Signal::TERM, Duration::ZERO).done(|_| ())),
    ("debug", |process| drop(format!("{process:?} {:?}", process.resize(1, 1)))),
    ("drop a clone", |process| drop(process.clone())),
];

/// Ignores an answer that does not matter here.
fn answer(_: Result<(), WriteError>) {}

/// Simulates events that cause every callback.
fn live(fake: &mut FakeProcess) {
    fake.hold_writes(0);
    fake.process().write(vec![b'.'; 70_000]);
    fake.turn();
    fake.child_writes(1, "out");
    fake.child_writes(5, "socket");
    fake.child_shuts_down(5);
    fake.release_writes(0);
    fake.child_closes(2);
    fake.exit(0);
}

fn fds() -> [(i32, FakeFd); 4] {
    [(0, FakeFd::ToChild), (1, FakeFd::FromChild), (2, FakeFd::FromChild), (5, FakeFd::Socketpair)]
}

fn check_grammar(log: &Log, context: &str) {
    let heard = log.borrow();
    let count = |name: &str| heard.iter().filter(|note| note.starts_with(name)).count();
    assert_eq!(heard.first().map(String::as_str), Some("made"), "{context}");
    assert_eq!((count("made"), count("exited"), count("ended")), (1, 1, 1), "{context}");
    assert!(heard.last().is_some_and(|note| note.starts_with("ended")), "{context}");
    for (fd, _) in fds() {
        assert_eq!(count(&format!("lost {fd}")), 1, "{context}");
        let lost = heard.iter().position(|note| *note == format!("lost {fd}"));
        let late = |note: &String| note.starts_with(&format!("data {fd}"));
        assert!(lost.is_some_and(|at| !heard[at..].iter().any(late)), "{context}");
    }
}

#[test]
fn a_run_without_interference_has_every_callback() {
    let (protocol, log) = recorder();
    live(&mut FakeProcess::with_fds(protocol, fds()));
    check_grammar(&log, "no action");
    for name in CALLBACKS {
        assert!(log.borrow().iter().any(|note| note.starts_with(name)), "{name}");
    }
}

#[test]
fn every_action_is_allowed_in_every_callback() {
    for callback in CALLBACKS {
        for (name, action) in ACTIONS {
            let mut calls = 0;
            let (protocol, log) = acting(move |here, process| {
                // A write in `drained` causes another `drained`, for ever.
                if here == callback && calls < 10 {
                    calls += 1;
                    action(process);
                }
            });
            let mut fake = FakeProcess::with_fds(protocol, fds());
            live(&mut fake);
            check_grammar(&log, &format!("{name} in {callback}"));
            assert!(fake.is_ended());
        }
    }
}

#[test]
fn no_action_calls_the_protocol_before_the_callback_returns() {
    let depth = Rc::new(Cell::new(0));
    let inside = Rc::clone(&depth);
    let (protocol, _log) = acting(move |here, process| {
        assert_eq!(inside.replace(1), 0);
        for (_, action) in ACTIONS {
            if here == "data" {
                action(process);
            }
        }
        inside.set(0);
    });
    live(&mut FakeProcess::with_fds(protocol, fds()));
    assert_eq!(depth.get(), 0);
}

#[test]
fn getters_of_the_fake_inside_a_callback_call_nothing() {
    let fake: Rc<RefCell<Option<Rc<FakeProcess>>>> = Rc::default();
    let inside = Rc::clone(&fake);
    let (protocol, log) = acting(move |here, process| {
        if here == "drained" {
            let fake = inside.borrow().clone().expect("it was put here before the write");
            process.close_stdin();
            assert!(!fake.is_closed(0));
        }
    });
    let shared = Rc::new(FakeProcess::new(protocol));
    *fake.borrow_mut() = Some(Rc::clone(&shared));
    shared.process().write("x");
    assert_eq!(shared.written(0), "x");
    drop(fake.take());
    assert_eq!(heard(&log), ["made", "drained 0", "lost 0"]);
}

#[test]
fn a_fake_dropped_inside_a_callback_ends_there() {
    let fake: Rc<RefCell<Option<FakeProcess>>> = Rc::default();
    let inside = Rc::clone(&fake);
    let (protocol, log) = acting(move |here, _| {
        if here == "lost" {
            drop(inside.take());
        }
    });
    let made = FakeProcess::new(protocol);
    let process = made.process().clone();
    // The clock runs the callbacks here, without the fake.
    let clock = made.clock().clone();
    *fake.borrow_mut() = Some(made);
    if let Some(fake) = &mut *fake.borrow_mut() {
        fake.set_drain_after_exit(Some(Duration::from_secs(1)));
        fake.reap(Ok(ProcessDone::default()));
    }
    clock.advance(Duration::from_secs(1));
    assert!(fake.borrow().is_none());
    let heard = heard(&log);
    assert_eq!(heard, ["made", "exited exited with status 0", "lost 0"]);
    assert_eq!(process.write_to_child(0, "x"), Err(WriteError::Closed));
}

#[test]
fn a_panic_in_any_callback_is_its_protocols_last() {
    for callback in CALLBACKS {
        let process: Rc<RefCell<Option<Process>>> = Rc::default();
        let seen = Rc::clone(&process);
        let alive = Rc::new(());
        let token = Rc::downgrade(&alive);
        let (protocol, log) = acting(move |here, process| {
            let _ = &alive;
            seen.replace(Some(process.clone()));
            assert!(here != callback, "asked to");
        });
        let made = catch_unwind(AssertUnwindSafe(|| FakeProcess::with_fds(protocol, fds())));
        let Ok(mut fake) = made else {
            assert_eq!((callback, token.upgrade()), ("made", None));
            let process = process.take().unwrap();
            assert_eq!(process.write_to_child(0, "x"), Err(WriteError::Closed));
            continue;
        };
        assert!(catch_unwind(AssertUnwindSafe(|| live(&mut fake))).is_err(), "{callback}");
        assert_eq!(token.upgrade(), None, "the protocol of {callback} is dropped");
        assert!(fake.is_closed(0), "its writers are closed");
        assert!(log.borrow().last().is_some_and(|note| note.starts_with(callback)));
        heard(&log);
        live(&mut fake);
        assert!(fake.is_ended(), "its child is reaped and its readers are drained");
        assert_eq!(heard(&log), [""; 0]);
    }
}

#[test]
fn a_second_panic_in_the_protocols_drop_does_not_hide_the_first() {
    struct Twice;
    impl ProcessProtocol for Twice {
        fn out_received(&mut self, _: &Process, _: Bytes) {
            panic!("first");
        }
    }
    impl Drop for Twice {
        fn drop(&mut self) {
            panic!("second");
        }
    }
    let mut fake = FakeProcess::new(Twice);
    let panic = catch_unwind(AssertUnwindSafe(|| fake.child_writes(1, "x"))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"first"));
    fake.exit(0);
    assert!(fake.is_ended());
}

/// Keeps its own handle: a reference cycle, which the end or the drop of the fake breaks.
struct KeepsHandle {
    process: Option<Process>,
    _alive: Rc<()>,
}

impl ProcessProtocol for KeepsHandle {
    fn connection_made(&mut self, process: &Process) {
        self.process = Some(process.clone());
    }

    fn process_ended(&mut self, _: &Process, _: ExitReason) {
        assert!(self.process.is_some());
    }
}

#[test]
fn a_protocol_that_keeps_its_handle_is_dropped_after_the_end() {
    let alive = Rc::new(());
    let mut fake = FakeProcess::new(KeepsHandle { process: None, _alive: Rc::clone(&alive) });
    fake.exit(0);
    assert_eq!(Rc::strong_count(&alive), 1);
    let process = fake.process().clone();
    drop(fake);
    assert_eq!(process.write_to_child(0, "x"), Err(WriteError::Closed));
    assert!(matches!(process.signal(Signal::TERM), Err(SignalError::ProcessExitedAlready)));
}

#[test]
fn a_protocol_that_keeps_its_handle_is_dropped_with_the_fake() {
    let alive = Rc::new(());
    let fake = FakeProcess::new(KeepsHandle { process: None, _alive: Rc::clone(&alive) });
    drop(fake);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn owners_of_data_are_dropped_where_nothing_is_borrowed() {
    let (protocol, _log) = recorder();
    let mut fake = FakeProcess::with_fds(protocol, fds());
    let process = fake.process().clone();
    let owner = process.clone();
    LocalOwner::calls(move || _ = owner.write_buffered(0));
    let data = LocalOwner::bytes;
    process.write(data()); // flushed
    fake.turn();
    process.write_to_child(9, data()).unwrap_err(); // refused
    fake.hold_writes(0);
    process.write(data()); // aborted
    process.abort_connection(0);
    fake.turn();
    process.write(data()); // closed
    fake.child_writes(1, data()); // delivered
    fake.child_writes(0, data()); // the child cannot write here
    process.pause(2);
    fake.child_writes(2, data()); // never read
    process.close_stderr();
    fake.turn();
    fake.reap(Ok(ProcessDone::default()));
    assert_eq!(LocalOwner::dropped(), 7);
    assert!(fake.is_closed(ChildFd::STDERR));
}
