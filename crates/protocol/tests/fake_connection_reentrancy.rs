//! Every action in every callback of a fake connection, a panic in every callback, and protocols
//! that hold their handle.

mod connections;
#[path = "util/owner.rs"]
mod owner;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use connections::{Log, acting};
use owner::LocalOwner;
use procession_core::WriteError;
use procession_protocol::{FakeConnection, Protocol, Transport};

const CALLBACKS: [&str; 6] = ["made", "data", "read_closed", "full", "drained", "lost"];

type Action = (&'static str, fn(&Transport));

const ACTIONS: [Action; 12] = [
    ("nothing", |_| ()),
    ("write", |transport| transport.write("x")),
    ("write much", |transport| transport.write(vec![b'.'; 70_000])),
    ("write_sequence", |transport| transport.write_sequence(["x", "y"])),
    ("write_copy", |transport| transport.write_copy(b"x")),
    ("set_write_limits", |transport| answer(transport.set_write_limits(1, 0))),
    ("lose_connection", Transport::lose_connection),
    ("abort_connection", Transport::abort_connection),
    ("shutdown_write", Transport::shutdown_write),
    ("pause", Transport::pause),
    ("pause and resume", |transport| {
        transport.pause();
        transport.resume();
    }),
    ("look", |transport| {
        drop((transport.write_buffered(), transport.clone().into_fd(), format!("{transport:?}")));
    }),
];

/// Ignores an answer that does not matter here.
fn answer(_: Result<(), WriteError>) {}

/// Simulates events that cause every callback.
fn live(fake: &mut FakeConnection) {
    fake.hold_writes();
    fake.transport().write(vec![b'.'; 70_000]);
    fake.turn();
    fake.peer_writes("data");
    fake.peer_reads(10);
    fake.release_writes();
    fake.peer_shuts_down();
    fake.transport().resume();
    fake.turn();
    fake.peer_closes();
}

fn check_grammar(log: &Log, context: &str) {
    let heard = log.borrow();
    let at = |name: &str| heard.iter().position(|note| note.starts_with(name));
    let count = |name: &str| heard.iter().filter(|note| note.starts_with(name)).count();
    assert_eq!((at("made"), count("made")), (Some(0), 1), "{context}: {heard:?}");
    assert_eq!((at("lost"), count("lost")), (Some(heard.len() - 1), 1), "{context}: {heard:?}");
    let end = at("read_closed").unwrap_or(heard.len());
    assert!(count("read_closed") <= 1, "{context}: {heard:?}");
    assert!(!heard[end..].iter().any(|note| note.starts_with("data")), "{context}: {heard:?}");
}

#[test]
fn a_run_without_interference_has_every_callback() {
    let (protocol, log) = acting(|_, _| {});
    live(&mut FakeConnection::new(protocol));
    check_grammar(&log, "no action");
    for name in CALLBACKS {
        assert!(log.borrow().iter().any(|note| note.starts_with(name)), "{name}");
    }
}

#[test]
fn every_pair_of_actions_is_allowed_in_every_callback() {
    for callback in CALLBACKS {
        for (first_name, first) in ACTIONS {
            for (second_name, second) in ACTIONS {
                let mut calls = 0;
                let (protocol, log) = acting(move |here, transport| {
                    // A write in `drained` causes another `drained`, for ever.
                    if here == callback && calls < 5 {
                        calls += 1;
                        first(transport);
                        second(transport);
                    }
                });
                let mut fake = FakeConnection::new(protocol);
                live(&mut fake);
                fake.transport().resume();
                fake.turn();
                check_grammar(&log, &format!("{first_name}, {second_name} in {callback}"));
                assert!(fake.is_closed());
            }
        }
    }
}

#[test]
fn no_action_calls_the_protocol_before_the_callback_returns() {
    let depth = Rc::new(Cell::new(0));
    let inside = Rc::clone(&depth);
    let (protocol, _log) = acting(move |here, transport| {
        assert_eq!(inside.replace(1), 0);
        if here == "data" {
            for (_, action) in ACTIONS {
                action(transport);
            }
        }
        inside.set(0);
    });
    live(&mut FakeConnection::new(protocol));
    assert_eq!(depth.get(), 0);
}

#[test]
fn getters_of_the_fake_inside_a_callback_call_nothing() {
    let fake: Rc<RefCell<Option<Rc<FakeConnection>>>> = Rc::default();
    let inside = Rc::clone(&fake);
    let (protocol, log) = acting(move |here, transport| {
        if here == "drained" {
            let fake = inside.borrow().clone().expect("it was put here before the write");
            transport.lose_connection();
            assert!(!fake.is_closed());
        }
    });
    let shared = Rc::new(FakeConnection::new(protocol));
    *fake.borrow_mut() = Some(Rc::clone(&shared));
    shared.transport().write("x");
    assert_eq!(shared.written(), "x");
    drop(fake.take());
    assert_eq!(log.take(), ["made", "drained", "lost ok"]);
}

#[test]
fn after_a_panic_the_protocol_is_dropped_and_gets_no_more_calls() {
    for callback in CALLBACKS {
        let dropped = Rc::new(());
        let kept = Rc::clone(&dropped);
        let (protocol, log) = acting(move |here, transport| {
            if here == "data" {
                transport.write(Rc::strong_count(&kept).to_string());
            }
            assert!(here != callback, "on purpose");
        });
        let fake = Rc::new(RefCell::new(None));
        let place = Rc::clone(&fake);
        let lived = catch_unwind(AssertUnwindSafe(move || {
            let mut place = place.borrow_mut();
            live(place.insert(FakeConnection::new(protocol)));
        }));
        assert_eq!(lived.unwrap_err().downcast_ref(), Some(&"on purpose"), "{callback}");
        assert_eq!(Rc::strong_count(&dropped), 1, "{callback}: the protocol is dropped");
        let heard = log.take();
        assert!(heard.last().is_some_and(|last| last.starts_with(callback)), "{heard:?}");
        // A panic inside the constructor leaves no fake to continue with.
        let Some(mut fake) = fake.take() else { continue };
        assert!(fake.is_closed());
        assert_eq!(fake.transport().write_buffered(), 0);
        assert_eq!(fake.transport().try_write("late"), Err(WriteError::Closed));
        live(&mut fake);
        assert_eq!(log.take(), [""; 0], "{callback}");
        assert_eq!(fake.lost().is_some(), callback == "lost");
    }
}

/// Keeps its own handle, which is a reference cycle until the protocol is dropped.
struct KeepsHandle {
    transport: Option<Transport>,
    _alive: Rc<()>,
}

impl Protocol for KeepsHandle {
    fn connection_made(&mut self, transport: &Transport) {
        self.transport = Some(transport.clone());
    }
}

#[test]
fn a_protocol_that_keeps_its_handle_is_dropped_with_the_loss_or_the_fake() {
    for ends in [false, true] {
        let alive = Rc::new(());
        let mut fake =
            FakeConnection::new(KeepsHandle { transport: None, _alive: Rc::clone(&alive) });
        assert_eq!(Rc::strong_count(&alive), 2);
        if ends {
            fake.peer_closes();
            assert_eq!(Rc::strong_count(&alive), 1);
        }
        drop(fake);
        assert_eq!(Rc::strong_count(&alive), 1);
    }
}

#[test]
fn owners_of_data_are_dropped_where_nothing_is_borrowed() {
    let (protocol, _log) = acting(|_, _| {});
    let mut fake = FakeConnection::new(protocol);
    let transport = fake.transport().clone();
    let owner = transport.clone();
    LocalOwner::calls(move || _ = owner.write_buffered());
    let data = LocalOwner::bytes;
    transport.write(data());
    fake.turn(); // flushed
    fake.peer_writes(data()); // delivered
    fake.hold_writes();
    transport.write(data());
    transport.pause();
    fake.peer_writes(data()); // never read
    transport.abort_connection();
    fake.turn();
    transport.write(data()); // refused
    fake.peer_writes(data()); // refused too
    assert_eq!(LocalOwner::dropped(), 6);
}
