//! Area RZ: every child is reaped exactly once, and no other library's child is reaped.
#![cfg(feature = "reactor")]

mod util;

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Fd, SpawnProcess, Step};
use procession_protocol::{SignalError, UnknownEnd};
use procession_reactor::Reactor;
use rustix::process::{Pid, WaitOptions, wait, waitpid};

use crate::util::{
    Driver, Event, Leaks, Recorder, WATCHDOG, behaviour, bound, children, command, isolated,
    keeps_statuses, ms, open_fds, process_state, sh, sys,
};

/// Converts a pid to the type of rustix.
fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed()).expect("a pid is not 0")
}

/// Case RZ-01.
#[test]
fn an_ended_child_is_reaped() {
    behaviour("an_ended_child_is_reaped", |driver| {
        let child = driver.spawn(command("/bin/true"));
        let number = child.process.pid().unwrap();
        driver.drive_to_end(&child.record);
        let waited = waitpid(Some(pid(number)), WaitOptions::NOHANG);
        assert_eq!(waited.unwrap_err(), rustix::io::Errno::CHILD);
        assert_eq!((process_state(number), child.record.code()), ('X', 0));
    });
}

/// Case RZ-02.
#[test]
fn a_failed_spawn_reaps_its_own_child() {
    behaviour("a_failed_spawn_reaps_its_own_child", |driver| {
        for _ in 0..50 {
            let error = driver.fails(command("/no/such/prog"));
            assert_eq!((error.step(), error.raw_os_error()), (Step::Exec, Some(libc::ENOENT)));
            let error = driver.fails(command("/bin/true").current_dir("/no/such"));
            assert_eq!((error.step(), error.raw_os_error()), (Step::Chdir, Some(libc::ENOENT)));
            let error = driver.fails(command("/bin/true").uid(u32::MAX));
            assert_eq!((error.step(), error.raw_os_error()), (Step::Validate, Some(libc::EINVAL)));
        }
        assert_eq!(wait(WaitOptions::NOHANG).unwrap_err(), rustix::io::Errno::CHILD);
    });
}

/// Case RZ-03.
#[test]
fn a_status_that_somebody_else_took_is_said_to_be_lost() {
    behaviour("a_status_that_somebody_else_took_is_said_to_be_lost", |driver| {
        let child = driver.spawn(command("/bin/sleep").arg("0.2"));
        let number = child.process.pid().unwrap();
        let thief =
            std::thread::spawn(move || waitpid(Some(pid(number)), WaitOptions::empty()).unwrap());
        let (_, status) = thief.join().unwrap().expect("it exited");
        assert_eq!(status.exit_status(), Some(0));
        let record = child.record.clone();
        driver.until("the end", ms(500), || record.ended().is_some());
        for reason in [record.exited().unwrap(), record.ended().unwrap()] {
            if keeps_statuses() {
                assert_eq!(reason.unwrap().usage(), None, "nobody knows what it used");
                continue;
            }
            let terminated = reason.unwrap_err();
            assert!(terminated.is_lost(), "{terminated:?}");
            assert_eq!(terminated.unknown_end(), Some(UnknownEnd::Taken));
            assert_eq!((terminated.exit_code(), terminated.signal()), (None, None));
            assert!(terminated.raw_status().is_none() && terminated.exit_status().is_none());
        }
        assert_eq!(record.lost(), [0, 1, 2]);
        let signalled = child.process.signal(Signal::TERM);
        assert!(matches!(signalled, Err(SignalError::ProcessExitedAlready)), "{signalled:?}");
    });
}

/// Case RZ-05.
#[test]
fn a_child_of_somebody_else_is_left_alone() {
    behaviour("a_child_of_somebody_else_is_left_alone", |driver| {
        let mut foreign =
            std::process::Command::new("/bin/sh").args(["-c", "exit 5"]).spawn().unwrap();
        for _ in 0..20 {
            driver.spawn(command("/bin/true"));
        }
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!(foreign.wait().unwrap().code(), Some(5));
    });
}

/// Case RZ-06.
#[test]
fn fifty_exits_at_once_are_all_seen() {
    behaviour("fifty_exits_at_once_are_all_seen", |driver| {
        let (reader, writer) = std::io::pipe().unwrap();
        let reader = Arc::new(OwnedFd::from(reader));
        let children: Vec<_> = (0..50)
            .map(|_| {
                let fds = [(0, Fd::inherit(reader.clone()))];
                driver.spawn(command("/usr/bin/head").arg("-c1").child_fds(fds))
            })
            .collect();
        drop(reader);
        // All of them exit while one callback keeps the loop busy.
        let pids: Vec<u32> = children.iter().map(|child| child.process.pid().unwrap()).collect();
        let blocked = Rc::new(std::cell::Cell::new(false));
        let done = blocked.clone();
        driver.handle().call_soon(move |_| {
            drop(writer);
            for pid in pids {
                sys::wait_until_zombie(pid);
            }
            done.set(true);
        });
        driver.until("the callback", WATCHDOG, || blocked.get());
        driver.drive_all_to_end(ms(1000));
        for child in &children {
            assert_eq!(child.record.code(), 0);
        }
        Leaks::assert_no_children();
    });
}

/// Case RZ-07.
#[test]
fn the_programs_own_sigchld_handler_stays_and_runs() {
    isolated("the_programs_own_sigchld_handler_stays_and_runs", || {
        sys::count_signal(libc::SIGCHLD);
        let handler = sys::handler(libc::SIGCHLD);
        let mut driver = Driver::new();
        let before = sys::counted();
        let record = driver.run(command("/bin/true"));
        assert_eq!(record.code(), 0);
        assert!(sys::counted() > before, "the handler runs for the reactor's child");
        driver.finish();
        assert_eq!(sys::handler(libc::SIGCHLD), handler, "it is in place after the drop");
    });
}

/// Case RZ-08.
#[test]
fn a_sigchld_from_nowhere_reports_no_exit() {
    behaviour("a_sigchld_from_nowhere_reports_no_exit", |driver| {
        let child = driver.spawn(command("/bin/cat"));
        for _ in 0..100 {
            rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::CHILD,
            )
            .unwrap();
            driver.turn();
        }
        driver.run_for(ms(50));
        assert_eq!(child.record.events(), [Event::Made]);
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 0);
    });
}

/// Case RZ-10.
#[test]
fn a_child_whose_handle_is_dropped_leaves_no_zombie() {
    behaviour("a_child_whose_handle_is_dropped_leaves_no_zombie", |driver| {
        let (recorder, record) = Recorder::new();
        let sleep = command("/bin/sleep").arg("0.2");
        let process = driver.handle().spawn_process(recorder, sleep).unwrap();
        let number = process.pid().unwrap();
        drop(process);
        driver.run_for(ms(500));
        assert_eq!(process_state(number), 'X');
        assert_eq!(record.code(), 0);
    });
}

/// Case RZ-11.
#[test]
fn no_exit_is_missed_between_the_clone_and_the_watch() {
    behaviour("no_exit_is_missed_between_the_clone_and_the_watch", |driver| {
        for round in 0..2000 {
            let none: [(i32, Fd); 0] = [];
            let (recorder, record) = Recorder::new();
            let child = command("/bin/true").child_fds(none);
            driver.handle().spawn_process(recorder, child).unwrap();
            driver.until("the end", ms(1000), || record.ended().is_some());
            assert_eq!(record.code(), 0, "round {round}");
        }
    });
}

/// Case RZ-13.
#[test]
fn children_that_outlive_their_reactor_are_reaped_by_the_next() {
    isolated("children_that_outlive_their_reactor_are_reaped_by_the_next", || {
        let reactor = Reactor::new().unwrap();
        let records: Vec<_> = (0..3)
            .map(|_| {
                let (recorder, record) = Recorder::new();
                let sleep = command("/bin/sleep").arg("0.3");
                reactor.spawn_process(recorder, sleep).unwrap();
                record
            })
            .collect();
        let before = reactor.now();
        let handle = reactor.handle();
        drop(reactor);
        let took = handle.now() - before;
        assert!(took < bound(ms(100)), "the drop took {took:?}");
        assert_eq!(children().len(), 3, "they live on");
        assert!(records.iter().all(|record| record.events() == [Event::Made]));

        let mut driver = Driver::new();
        driver.until("the next reactor reaps them", WATCHDOG, || children().is_empty());
        assert!(records.iter().all(|record| record.events() == [Event::Made]), "without callbacks");
        let pidfd = |link: &String| link.contains("pidfd");
        assert!(!open_fds().values().any(pidfd), "their pidfds are closed");
        driver.rebase(); // the first baseline included the children's pidfds
        driver.finish();
    });
}

/// Case RZ-14.
#[test]
fn four_reactors_in_four_threads_see_each_its_own_children() {
    isolated("four_reactors_in_four_threads_see_each_its_own_children", || {
        let threads: Vec<_> = (0..4)
            .map(|index| {
                std::thread::spawn(move || {
                    let mut reactor = Reactor::new().unwrap();
                    let records: Vec<_> = (0..100)
                        .map(|_| {
                            let (recorder, record) = Recorder::new();
                            let child = sh(&format!("exit {index}"));
                            reactor.spawn_process(recorder, child).unwrap();
                            record
                        })
                        .collect();
                    let deadline = reactor.now() + Duration::from_secs(30);
                    while !records.iter().all(|record| record.ended().is_some()) {
                        assert!(reactor.now() < deadline, "thread {index}: {records:?}");
                        reactor.turn(Some(ms(100))).unwrap();
                    }
                    records.iter().map(|record| record.code()).collect::<Vec<i32>>()
                })
            })
            .collect();
        for (index, thread) in (0..).zip(threads) {
            assert_eq!(thread.join().unwrap(), vec![index; 100]);
        }
        Leaks::assert_no_children();
    });
}
