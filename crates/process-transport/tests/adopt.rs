//! Adopting on a loop a child that was launched without one.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::rc::Rc;
use std::thread;

use procession_core::Signal;
use procession_process_transport::{Pty, SpawnProcess, Spawned};
use procession_protocol::{ChildFd, ExitReason, Process, ProcessProtocol};
use procession_reactor::Reactor;

use crate::filter::{Calls, answer};
use crate::util::{Driver, Record, Recorder, WATCHDOG, behaviour, command, isolated, sh, sys};

/// Gives the child to the driver's reactor, and drives it to its end.
fn adopted(driver: &mut Driver, spawned: Spawned) -> Record {
    let (recorder, record) = Recorder::new();
    let process = driver.handle().adopt(recorder, spawned).expect("the reactor takes it");
    drop(process);
    driver.drive_to_end(&record);
    record
}

#[test]
fn a_child_of_another_thread_is_reported_like_one_of_the_loops() {
    behaviour("a_child_of_another_thread_is_reported_like_one_of_the_loops", |driver| {
        let launch =
            || command("sh").args(["-c", "echo out; echo err >&2; exit 5"]).spawn().unwrap();
        let spawned = thread::spawn(launch).join().unwrap();
        let record = adopted(driver, spawned);
        assert_eq!(
            (record.text(1), record.text(2), record.code()),
            ("out\n".into(), "err\n".into(), 5)
        );
    });
}

#[test]
fn taken_ends_count_as_lost_after_connection_made() {
    behaviour("taken_ends_count_as_lost_after_connection_made", |driver| {
        let mut spawned = command("cat").spawn().unwrap();
        File::from(spawned.take(0).unwrap()).write_all(b"hello").unwrap();
        drop(spawned.take(2).unwrap());
        let (recorder, record) = Recorder::new();
        let _process = driver.handle().adopt(recorder, spawned).unwrap();
        assert_eq!(record.events().len(), 1, "connection_made alone, before the loop runs");
        driver.drive_to_end(&record);
        assert_eq!((record.text(1), record.code()), ("hello".into(), 0));
        let mut lost = record.lost();
        lost.sort_unstable();
        assert_eq!(lost, [0, 1, 2]);
    });
}

/// Records the names of its callbacks. The shared recorder cannot stand here: it expects a pid
/// until the exit is reported, and this child is reaped before it is adopted.
struct CallbackNames(Rc<RefCell<Vec<&'static str>>>);

impl ProcessProtocol for CallbackNames {
    fn connection_made(&mut self, process: &Process) {
        assert_eq!(process.pid(), None, "it is reaped");
        self.0.borrow_mut().push("made");
    }

    fn child_connection_lost(&mut self, _: &Process, _: ChildFd) {
        self.0.borrow_mut().push("lost");
    }

    fn process_exited(&mut self, _: &Process, reason: ExitReason) {
        assert_eq!(reason.expect_err("it failed").exit_code(), Some(6));
        self.0.borrow_mut().push("exited");
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        assert_eq!(reason.expect_err("it failed").exit_code(), Some(6));
        self.0.borrow_mut().push("ended");
    }
}

#[test]
fn a_known_status_is_reported_by_the_loop() {
    behaviour("a_known_status_is_reported_by_the_loop", |driver| {
        for owned in [false, true] {
            let mut spawned = command("sh").args(["-c", "exit 6"]).owned(owned).spawn().unwrap();
            assert!(spawned.wait().unwrap().is_err());
            let names = Rc::default();
            let process = driver.handle().adopt(CallbackNames(Rc::clone(&names)), spawned).unwrap();
            assert_eq!(*names.borrow(), ["made"], "the loop has not run");
            drop(process);
            driver.until("its end", WATCHDOG, || names.borrow().contains(&"ended"));
            assert_eq!(*names.borrow(), ["made", "lost", "lost", "lost", "exited", "ended"]);
        }
    });
}

#[test]
fn a_terminal_may_be_adopted() {
    behaviour("a_terminal_may_be_adopted", |driver| {
        let spawned = sh("echo hi").pty(Pty::new()).spawn().unwrap();
        let record = adopted(driver, spawned);
        assert_eq!((record.text(1), record.code()), ("hi\r\n".into(), 0));
    });
}

#[test]
fn a_dropped_reactor_gives_the_child_back() {
    isolated("a_dropped_reactor_gives_the_child_back", || {
        let reactor = Reactor::new().unwrap();
        let handle = procession_reactor::Handle::current();
        drop(reactor);
        let spawned = command("sh").args(["-c", "echo hi"]).spawn().unwrap();
        let error = handle.adopt(Recorder::new().0, spawned).unwrap_err();
        assert_eq!(error.io_error().kind(), std::io::ErrorKind::NotConnected);
        assert_eq!(error.into_spawned().output().unwrap().stdout(), b"hi\n");
    });
}

/// The poller refuses every registration. The child comes back whole and usable.
#[test]
fn a_reactor_that_can_watch_no_more_gives_the_child_back() {
    isolated("a_reactor_that_can_watch_no_more_gives_the_child_back", || {
        let driver = Driver::new();
        answer(libc::SYS_epoll_ctl, Calls::All, libc::ENOSPC);
        for pty in [false, true] {
            let cat = command("cat");
            let mut spawned = if pty { cat.pty(Pty::new()) } else { cat }.spawn().unwrap();
            let before = sys::is_open(0);
            let taken = (!pty).then(|| spawned.take(2).unwrap());
            let error = driver.handle().adopt(Recorder::new().0, spawned).unwrap_err();
            assert_eq!(error.io_error().raw_os_error(), Some(libc::ENOSPC));
            let mut spawned = error.into_spawned();
            assert_eq!(sys::is_open(0), before);
            if pty {
                spawned.resize(3, 4).unwrap();
                spawned.signal(Signal::TERM).unwrap();
                let reason = spawned.wait_timeout(WATCHDOG).unwrap().expect("it ended");
                assert_eq!(reason.unwrap_err().signal(), Some(Signal::TERM));
            } else {
                File::from(spawned.take(0).unwrap()).write_all(b"back").unwrap();
                assert!(spawned.take(2).is_err(), "it was taken before");
                assert_eq!(spawned.output().unwrap().stdout(), b"back");
            }
            drop(taken);
        }
    });
}
