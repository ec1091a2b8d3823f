//! Area EO, second part: what a program does inside callbacks and around the end, and how a panic
//! there affects other children.
#![cfg(feature = "reactor")]

mod util;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use procession_core::{Signal, WriteError};
use procession_process_transport::SpawnProcess;
use procession_protocol::{Process, SignalError};
use procession_reactor::Handle;

use crate::util::{Event, Record, Recorder, WATCHDOG, behaviour, children, command, ms, sh};

/// Returns whether the event is `process_exited`.
fn exited(event: &Event) -> bool {
    matches!(event, Event::Exited(_))
}

/// Returns whether the event is `process_ended`.
fn ended(event: &Event) -> bool {
    matches!(event, Event::Ended(_))
}

/// Case EO-09.
#[test]
fn a_connection_lost_in_connection_made_ends_the_child() {
    behaviour("a_connection_lost_in_connection_made_ends_the_child", |driver| {
        let record = driver.run_with(command("/bin/cat"), |process, event| {
            if *event == Event::Made {
                process.lose_connection();
            }
        });
        assert_eq!((record.lost(), record.code()), (vec![0, 1, 2], 0));
    });
}

/// Case EO-10.
#[test]
fn closing_twice_loses_once() {
    behaviour("closing_twice_loses_once", |driver| {
        let close = |process: &Process| {
            process.close_stdin();
            process.close_stdout();
            process.close_stderr();
            process.lose_connection();
            process.lose_connection();
        };
        let child = driver.spawn_with(command("/bin/cat"), move |process, event| {
            if ended(event) {
                close(process);
            }
        });
        close(&child.process);
        driver.drive_to_end(&child.record);
        close(&child.process);
        driver.run_for(ms(20));
        assert_eq!((child.record.lost(), child.record.code()), (vec![0, 1, 2], 0));
        for fd in [0, 1, 2] {
            assert_eq!(child.record.count(|event| *event == Event::Lost(fd)), 1);
        }
    });
}

/// Case EO-11.
#[test]
fn a_loss_is_never_delivered_inside_the_call_that_causes_it() {
    behaviour("a_loss_is_never_delivered_inside_the_call_that_causes_it", |driver| {
        let calls: [fn(&Process); 5] = [
            Process::close_stdout,
            |process| process.close_child_fd(1),
            |process| process.abort_connection(0),
            Process::lose_connection,
            Process::close_all,
        ];
        for call in calls {
            // Outside of callbacks, the record does not grow during the call.
            let child = driver.spawn(command("/bin/cat"));
            let before = child.record.events().len();
            call(&child.process);
            assert_eq!(child.record.events().len(), before, "nothing inside the call");
            child.process.lose_connection();
            driver.drive_to_end(&child.record);

            // Inside a callback, the recorder refuses a nested callback, and the depth shows it.
            let depth = Rc::new(Cell::new(0));
            let (recorder, record) = {
                let depth = depth.clone();
                Recorder::with(move |process, event| {
                    assert_eq!(depth.get(), 0, "{event:?} came inside a call");
                    if matches!(event, Event::Data(..)) {
                        depth.set(1);
                        call(process);
                        depth.set(0);
                    }
                })
            };
            let process = driver.handle().spawn_process(recorder, command("/bin/cat")).unwrap();
            process.write("x");
            driver.until("the data", WATCHDOG, || {
                record.has(|event| *event == Event::Data(1, "x".into()))
            });
            process.lose_connection();
            driver.drive_to_end(&record);
            assert_eq!(record.lost(), [0, 1, 2]);
        }
    });
}

/// Selects events.
type EventFilter = fn(&Event) -> bool;

/// The callbacks in which a protocol of case EO-13 panics.
const PANICS: [(&str, EventFilter); 5] = [
    ("made", |event| *event == Event::Made),
    ("data", |event| matches!(event, Event::Data(..))),
    ("lost", |event| matches!(event, Event::Lost(_))),
    ("exited", exited),
    ("ended", ended),
];

/// Case EO-13.
#[test]
fn a_panic_in_a_callback_harms_only_its_own_child() {
    behaviour("a_panic_in_a_callback_harms_only_its_own_child", |driver| {
        for (place, here) in PANICS {
            let healthy = driver.spawn(sh("sleep 0.3; echo healthy; exit 5"));
            let (recorder, record) = Recorder::with(move |_, event| {
                assert!(!here(event), "the panic that the test wants, in {place}");
            });
            let child = sh("echo x; echo y >&2; read z; exit 0");
            let handle = driver.handle();
            let spawned = catch_unwind(AssertUnwindSafe(|| handle.spawn_process(recorder, child)));
            if place == "made" {
                assert!(spawned.is_err(), "the panic unwinds out of spawn_process");
            } else {
                let process = spawned.unwrap().unwrap();
                process.write("z\n");
                process.close_stdin();
                let turns = AssertUnwindSafe(|| driver.drive_to_end(&record));
                assert!(catch_unwind(turns).is_err(), "the panic unwinds out of the loop: {place}");
                assert!(record.events().last().is_some_and(here), "{place}:\n{record:?}");
            }
            // The recorder would fail here on a further call, because its callback never returned.
            let before = record.events();
            driver.drive_to_end(&healthy.record);
            assert_eq!((healthy.record.text(1).as_str(), healthy.record.code()), ("healthy\n", 5));
            driver.until("the child is reaped", WATCHDOG, || children().is_empty());
            driver.turn();
            assert_eq!(record.events(), before, "no further call after the panic in {place}");
            driver.leaks().assert_no_fds();
        }
    });
}

/// Case EO-14.
#[test]
fn the_pid_is_known_from_made_until_the_exit() {
    behaviour("the_pid_is_known_from_made_until_the_exit", |driver| {
        let nested: Rc<RefCell<Option<Record>>> = Rc::default();
        let pids: Rc<RefCell<Vec<(&str, bool)>>> = Rc::default();
        let (slot, seen) = (nested.clone(), pids.clone());
        let record = driver.run_with(command("/bin/true"), move |process, event| {
            let known = process.pid().is_some();
            match event {
                Event::Made => seen.borrow_mut().push(("made", known)),
                Event::Exited(_) => seen.borrow_mut().push(("exited", known)),
                Event::Ended(_) => {
                    seen.borrow_mut().push(("ended", known));
                    let (recorder, record) = Recorder::new();
                    Handle::current().spawn_process(recorder, sh("exit 6")).unwrap();
                    *slot.borrow_mut() = Some(record);
                }
                _ => {}
            }
        });
        assert_eq!(record.code(), 0);
        assert_eq!(*pids.borrow(), [("made", true), ("exited", false), ("ended", false)]);
        let nested = nested.take().expect("it was spawned in the callback");
        driver.drive_to_end(&nested);
        assert_eq!(nested.code(), 6);
    });
}

/// Case EO-15.
#[test]
fn nothing_is_called_back_after_the_end() {
    behaviour("nothing_is_called_back_after_the_end", |driver| {
        let child = driver.spawn(command("/bin/true"));
        driver.drive_to_end(&child.record);
        let events = child.record.events();
        let process = child.process.clone();
        let ran = Rc::new(Cell::new(false));
        let done = ran.clone();
        driver.handle().call_later(ms(100), move |_| {
            process.close_stdin();
            process.close_stdout();
            process.close_stderr();
            process.close_all();
            process.lose_connection();
            process.abort_connection(1);
            process.pause(1);
            process.resume(1);
            process.write("late");
            assert_eq!(process.write_to_child(0, "late"), Err(WriteError::Closed));
            let signalled = process.signal(Signal::TERM);
            assert!(matches!(signalled, Err(SignalError::ProcessExitedAlready)), "{signalled:?}");
            done.set(true);
        });
        driver.until("the timer", WATCHDOG, || ran.get());
        driver.run_for(ms(50));
        assert_eq!(child.record.events(), events);
        assert_eq!(child.record.code(), 0);
    });
}

/// Case EO-17.
#[test]
fn a_stream_closed_in_its_own_callback_delivers_nothing_more() {
    behaviour("a_stream_closed_in_its_own_callback_delivers_nothing_more", |driver| {
        let child =
            driver.spawn_with(sh("echo a; echo b; exec cat /dev/zero"), |process, event| {
                if matches!(event, Event::Data(1, _)) {
                    process.close_stdout();
                }
            });
        driver.drive_to_end(&child.record);
        let record = &child.record;
        assert_eq!(record.count(|event| matches!(event, Event::Data(1, _))), 1, "{record:?}");
        assert_eq!(record.count(|event| *event == Event::Lost(1)), 1);
        assert_eq!(record.signal(), libc::SIGPIPE);
    });
}
