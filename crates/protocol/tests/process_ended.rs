//! `Process::ended`, and the equality of handles.

mod util;

use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use procession_core::{Deferred, Failed};
use procession_protocol::{ExitReason, FakeConnection, FakeProcess, Process, Protocol};
use util::{acting, heard, recorder};

#[test]
fn every_waiting_caller_gets_the_end_after_the_protocol() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    let (first, second) = (fake.process().ended(), fake.process().ended());
    let told = Rc::clone(&log);
    first.done(move |reason| told.borrow_mut().push(format!("first {}", reason.is_ok())));
    fake.exit(3);
    let told = heard(&log);
    assert_eq!(told[told.len() - 2..], ["ended exited with status 3", "first true"]);
    let code = |ended: Deferred<ExitReason, _>| {
        ended.try_take().unwrap().unwrap().unwrap_err().exit_code()
    };
    assert_eq!(code(second), Some(3));
    assert_eq!(code(fake.process().ended()), Some(3), "a call after the end");
}

#[test]
fn the_reason_is_the_one_that_the_protocol_got() {
    let (protocol, log) = recorder();
    let mut fake = FakeProcess::new(protocol);
    fake.set_drain_after_exit(Some(std::time::Duration::ZERO));
    let waiting = fake.process().ended();
    fake.reap(Ok(Default::default()));
    fake.clock().advance(std::time::Duration::ZERO);
    fake.turn();
    assert_eq!(heard(&log).pop().unwrap(), "ended exited with status 0, held 0, held 1, held 2");
    for ended in [waiting, fake.process().ended()] {
        let done = ended.try_take().unwrap().unwrap().unwrap();
        assert_eq!(done.held_fds().len(), 3);
    }
}

#[test]
fn inside_process_ended_the_result_is_ready() {
    let found = Rc::new(RefCell::new(None));
    let inside = Rc::clone(&found);
    let (protocol, _) = acting(move |name, process: &Process| {
        if name == "ended" {
            *inside.borrow_mut() = process.ended().try_take();
        }
    });
    FakeProcess::new(protocol).exit(0);
    assert!(found.take().unwrap().unwrap().is_ok());
}

#[test]
fn no_wait_lasts_for_ever() {
    let (protocol, _) = acting(|name, _| assert_ne!(name, "data"));
    let mut fake = FakeProcess::new(protocol);
    let ended = fake.process().ended();
    assert!(catch_unwind(AssertUnwindSafe(|| fake.child_writes(1, "x"))).is_err());
    assert_eq!(ended.try_take(), Some(Err(Failed::Abandoned)));
    let fake = FakeProcess::new(recorder().0);
    let (ended, process) = (fake.process().ended(), fake.process().clone());
    drop(fake);
    assert_eq!(ended.try_take(), Some(Err(Failed::Abandoned)));
    assert_eq!(process.ended().try_take(), Some(Err(Failed::Abandoned)));
}

#[test]
fn a_panic_in_process_ended_does_not_hide_the_end() {
    let (protocol, _) = acting(|name, _| assert_ne!(name, "ended"));
    let mut fake = FakeProcess::new(protocol);
    let ended = fake.process().ended();
    assert!(catch_unwind(AssertUnwindSafe(|| fake.exit(0))).is_err());
    assert!(ended.try_take().unwrap().unwrap().is_ok());
}

struct Quiet;

impl Protocol for Quiet {}

#[test]
fn handles_of_one_child_are_equal_and_of_two_are_not() {
    let (one, two) = (FakeProcess::new(recorder().0), FakeProcess::new(recorder().0));
    assert_eq!(one.process(), &one.process().clone());
    assert_ne!(one.process(), two.process());
    let all = [one.process().clone(), one.process().clone(), two.process().clone()];
    assert_eq!(HashSet::from(all).len(), 2);
    let (one, two) = (FakeConnection::new(Quiet), FakeConnection::new(Quiet));
    let all = [one.transport().clone(), one.transport().clone(), two.transport().clone()];
    assert_eq!(HashSet::from(all).len(), 2);
}
