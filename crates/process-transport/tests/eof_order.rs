//! Area EO, first part: which events arrive, how often, and in which order.
//!
//! The recorder checks the grammar of events in every test. These tests check the rest of each
//! case. `callbacks.rs` tests what a callback may do.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use procession_process_transport::Fd;

use crate::util::{Event, PROMPTLY, Record, WATCHDOG, behaviour, code, command, ms, sh, sys};

/// Returns whether the event is `process_exited`.
fn exited(event: &Event) -> bool {
    matches!(event, Event::Exited(_))
}

/// Returns whether the event is `process_ended`.
fn ended(event: &Event) -> bool {
    matches!(event, Event::Ended(_))
}

/// Asserts that such an event came about `wanted` after the start.
#[track_caller]
fn assert_about(record: &Record, like: impl Fn(&Event) -> bool, wanted: Duration) {
    let came = record.came_within(like, wanted.saturating_sub(ms(100)), wanted + ms(400));
    assert!(came, "not at {wanted:?}:\n{record:?}");
}

/// Case EO-01.
#[test]
fn all_data_and_losses_and_the_exit_come_before_the_end() {
    behaviour("all_data_and_losses_and_the_exit_come_before_the_end", |driver| {
        let record = driver.run(sh("echo o; echo e >&2; exit 0"));
        let events = record.events();
        assert_eq!(events.first(), Some(&Event::Made));
        assert!(events.last().is_some_and(ended));
        for fd in [1, 2] {
            let data =
                record.position(|event| matches!(event, Event::Data(from, _) if *from == fd));
            let lost = record.position(|event| *event == Event::Lost(fd));
            assert!(data < lost && data.is_some(), "fd {fd}:\n{record:?}");
        }
        for fd in [0, 1, 2] {
            assert_eq!(record.count(|event| *event == Event::Lost(fd)), 1, "{record:?}");
        }
        assert_eq!((record.count(exited), record.count(ended)), (1, 1));
        assert_eq!((record.text(1).as_str(), record.text(2).as_str()), ("o\n", "e\n"));
        assert_eq!(events.len(), 8, "made, two data, three losses, exited, ended:\n{record:?}");
        assert_eq!(record.code(), 0);
        // Nothing follows the end.
        driver.run_for(ms(50));
        assert_eq!(record.events(), events);
    });
}

/// Case EO-02.
#[test]
fn the_exit_does_not_wait_for_a_grandchild_that_holds_the_pipes() {
    behaviour("the_exit_does_not_wait_for_a_grandchild_that_holds_the_pipes", |driver| {
        let child = driver.spawn(sh("sleep 3 & exit 0"));
        let record = child.record.clone();
        driver.until("the exit", PROMPTLY, || record.has(exited));
        assert_eq!(record.exited().as_ref().and_then(code), Some(0));
        driver.run_for(ms(500));
        assert!(!record.is_lost(1) && !record.is_lost(2), "the grandchild holds them:\n{record:?}");
        assert!(!record.has(ended));
        child.process.lose_connection();
        driver.until("the end", PROMPTLY, || record.has(ended));
        assert_eq!((record.lost(), record.code()), (vec![0, 1, 2], 0));
    });
}

/// Case EO-03.
#[test]
fn output_of_a_grandchild_after_the_exit_is_delivered() {
    behaviour("output_of_a_grandchild_after_the_exit_is_delivered", |driver| {
        let record = driver.run(sh("(sleep 1; echo late) & echo early; exit 4"));
        assert_eq!((record.text(1).as_str(), record.code()), ("early\nlate\n", 4));
        assert_about(&record, exited, Duration::ZERO);
        assert_about(&record, ended, ms(1000));
    });
}

/// Case EO-04.
#[test]
fn closed_outputs_do_not_mean_that_the_child_is_dead() {
    behaviour("closed_outputs_do_not_mean_that_the_child_is_dead", |driver| {
        let child = driver.spawn(sh("echo hi; exec >&- 2>&-; read x; exit 4"));
        let record = child.record;
        driver.until("both are closed", WATCHDOG, || record.is_lost(1) && record.is_lost(2));
        let ticks = driver.ticker();
        driver.until("the timer goes on", WATCHDOG, || ticks.get() >= 25);
        assert!(!record.has(exited), "{record:?}");
        child.process.write("x\n");
        driver.drive_to_end(&record);
        assert_eq!((record.text(1).as_str(), record.code()), ("hi\n", 4));
    });
}

/// Case EO-06.
#[test]
fn each_end_of_a_stream_is_delivered_while_the_child_lives() {
    behaviour("each_end_of_a_stream_is_delivered_while_the_child_lives", |driver| {
        let script = "read x; exec 2>&-; read x; exec 1>&-; read x";
        let record = driver.run_with(sh(script), |process, event| {
            if matches!(event, Event::Made | Event::Lost(1 | 2)) {
                process.write("line\n");
            }
        });
        let position = |like: fn(&Event) -> bool| record.position(like).unwrap();
        let second = position(|event| *event == Event::Lost(2));
        let first = position(|event| *event == Event::Lost(1));
        assert!(second < first && first < position(exited), "{record:?}");
        assert_eq!(record.code(), 0);
    });
}

/// Case EO-07.
#[test]
fn all_that_the_child_wrote_comes_before_the_end() {
    behaviour("all_that_the_child_wrote_comes_before_the_end", |driver| {
        let record = driver.run(sh("head -c 1000000 /dev/zero; exit 1"));
        assert!(record.data(1) == vec![0; 1_000_000], "{} bytes", record.data(1).len());
        assert_eq!((record.code(), record.lost()), (1, vec![0, 1, 2]));
    });
}

/// Case EO-12.
#[test]
fn an_exit_before_the_loop_runs_is_reported_by_the_loop() {
    behaviour("an_exit_before_the_loop_runs_is_reported_by_the_loop", |driver| {
        let none: [(i32, Fd); 0] = [];
        let commands = [command("/bin/true").child_fds(none), command("/bin/true")];
        for command in commands {
            let child = driver.spawn(command);
            sys::wait_until_zombie(child.process.pid().unwrap());
            assert_eq!(child.record.events(), [Event::Made], "the loop did not run");
            driver.drive_to_end(&child.record);
            let record = &child.record;
            assert_eq!((record.count(exited), record.count(ended), record.code()), (1, 1, 0));
        }
    });
}

/// Case EO-16.
#[test]
fn a_stream_is_lost_with_its_last_writer() {
    behaviour("a_stream_is_lost_with_its_last_writer", |driver| {
        let record = driver.run(sh("sleep 1 & exec >&- 2>&-; exit 0"));
        assert_about(&record, exited, Duration::ZERO);
        for fd in [1, 2] {
            assert_about(&record, |event| *event == Event::Lost(fd), ms(1000));
        }
        assert_eq!(record.code(), 0);
    });
}

/// With a bound, descendants that hold the pipes do not delay the end, and the held descriptors are
/// named.
#[test]
fn drain_after_exit_bounds_the_wait_for_descendants() {
    behaviour("drain_after_exit_bounds_the_wait_for_descendants", |driver| {
        let held = sh("sleep 1.5 & echo hi; exit 3").drain_after_exit(ms(200));
        let record = driver.run(held);
        assert_eq!((record.text(1).as_str(), record.code()), ("hi\n", 3));
        assert_about(&record, ended, ms(200));
        let reason = record.ended().unwrap().unwrap_err();
        let fds: Vec<i32> = reason.held_fds().iter().map(|fd| fd.as_raw()).collect();
        assert_eq!(fds, [1, 2]);
        assert!(record.exited().unwrap().unwrap_err().held_fds().is_empty());
    });
}

/// A bound that was not needed leaves no timer behind, and so nothing that keeps the child's data
/// alive.
#[test]
fn an_end_before_the_bound_disarms_it() {
    behaviour("an_end_before_the_bound_disarms_it", |driver| {
        let record = driver.run(sh("sleep 0.3 & exit 0").drain_after_exit(ms(60_000)));
        assert!(record.ended().unwrap().unwrap().held_fds().is_empty());
        assert!(driver.reactor().next_deadline().is_none());
    });
}

/// The data of one read is one event. Bytes that were not read are not reported.
#[test]
fn data_is_delivered_as_bytes_that_outlive_the_callback() {
    behaviour("data_is_delivered_as_bytes_that_outlive_the_callback", |driver| {
        let kept: Rc<RefCell<Vec<Bytes>>> = Rc::default();
        let keep = kept.clone();
        let record =
            driver.run_with(sh("head -c 300000 /dev/zero; printf end"), move |_, event| {
                if let Event::Data(1, data) = event {
                    keep.borrow_mut().push(data.clone());
                }
            });
        let all = kept.take().concat();
        assert_eq!(all.len(), 300_003);
        assert!(all.ends_with(b"\0end") && all == record.data(1));
        assert_eq!(record.code(), 0);
    });
}
