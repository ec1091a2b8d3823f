//! Watching exits without pidfds, as on a kernel that lacks them: SIGCHLD triggers a check of each
//! child of the library by its number. Children of others are left alone.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::io;
use std::process::Command as StdCommand;
use std::rc::Rc;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Pty, SpawnProcess};
use procession_protocol::{ChildFd, SignalError, UnknownEnd};
use procession_reactor::Reactor;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};

use crate::util::{
    Driver, Event, Leaks, PROMPTLY, Record, Recorder, WATCHDOG, behaviour, bound, children,
    isolated, ms, open_fds, process_state, sh, sys,
};

/// `sh -c script`, whose exit is watched with SIGCHLD.
fn by_signal(script: &str) -> Command {
    sh(script).without_pidfd()
}

/// A child that shares no descriptor with its parent. Only its number identifies it.
fn bare(script: &str) -> Command {
    let none: [(ChildFd, Fd); 0] = [];
    by_signal(script).child_fds(none)
}

/// Returns how many pidfds this process has.
fn pidfds() -> usize {
    open_fds().values().filter(|link| link.contains("[pidfd]")).count()
}

fn number(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed()).expect("a pid is not 0")
}

/// Reaps a child by its number, as foreign code would.
fn reap(pid: u32) {
    let waited = waitid(WaitId::Pid(number(pid)), WaitIdOptions::EXITED).expect("it is our child");
    assert!(waited.is_some(), "it has ended");
}

#[test]
fn exits_are_seen_without_a_pidfd() {
    behaviour("exits_are_seen_without_a_pidfd", |driver| {
        let child = driver.spawn(by_signal("echo hi; exit 3"));
        assert_eq!(pidfds(), 0);
        assert_eq!(child.process.pidfd().unwrap_err().kind(), io::ErrorKind::Unsupported);
        driver.drive_to_end(&child.record);
        assert_eq!((child.record.text(1).as_str(), child.record.code()), ("hi\n", 3));
        assert_eq!(child.process.pidfd().unwrap_err().raw_os_error(), Some(libc::ESRCH));
        assert_eq!(driver.run(by_signal("kill -9 $$")).signal(), 9);
        let record = driver.run(by_signal("exit 0"));
        assert!(record.ended().unwrap().unwrap().usage().is_some());
    });
}

/// The signal itself ends the wait: nothing else happens at the exit, because no pipe is closed.
#[test]
fn an_exit_wakes_a_loop_that_waits() {
    behaviour("an_exit_wakes_a_loop_that_waits", |driver| {
        let child = driver.spawn(bare("sleep 0.2; exit 5"));
        driver.drive_to_end(&child.record);
        let exited = |event: &Event| matches!(event, Event::Exited(_));
        let latest = ms(200) + bound(PROMPTLY);
        assert!(child.record.came_within(exited, ms(200), latest), "{:?}", child.record);
        assert_eq!(child.record.code(), 5);
    });
}

#[test]
fn a_child_that_died_before_the_loop_ran_is_seen() {
    behaviour("a_child_that_died_before_the_loop_ran_is_seen", |driver| {
        for _ in 0..20 {
            let child = driver.spawn(bare("exit 6"));
            sys::wait_until_zombie(child.process.pid().unwrap());
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.code(), 6);
        }
    });
}

/// One signal may stand for many exits.
#[test]
fn many_exits_at_once_are_all_seen() {
    behaviour("many_exits_at_once_are_all_seen", |driver| {
        let gate = || by_signal("read x; exit 7");
        let all: Vec<_> = (0..60).map(|_| driver.spawn(gate())).collect();
        for child in &all {
            child.process.close_stdin();
        }
        driver.drive_all_to_end(WATCHDOG);
        assert!(all.iter().all(|child| child.record.code() == 7));
        for round in 0..5 {
            let all: Vec<_> = (0..20).map(|_| driver.spawn(bare("exit 8"))).collect();
            driver.drive_all_to_end(WATCHDOG);
            assert!(all.iter().all(|child| child.record.code() == 8), "round {round}");
        }
    });
}

/// Children that `std::process` started keep their statuses for `std::process`.
#[test]
fn children_of_others_are_left_alone() {
    behaviour("children_of_others_are_left_alone", |driver| {
        let foreign = |code: i32| {
            StdCommand::new("/bin/sh").args(["-c", &format!("exit {code}")]).spawn().unwrap()
        };
        let mut before = foreign(41);
        sys::wait_until_zombie(before.id());
        let own = driver.spawn(by_signal("exit 42"));
        let mut beside = foreign(43);
        sys::wait_until_zombie(beside.id());
        driver.drive_to_end(&own.record);
        driver.run_for(ms(50));
        assert_eq!(own.record.code(), 42);
        assert_eq!((process_state(before.id()), process_state(beside.id())), ('Z', 'Z'));
        assert_eq!(before.wait().unwrap().code(), Some(41));
        assert_eq!(beside.wait().unwrap().code(), Some(43));
    });
}

/// No handle and no pipe keeps such a child. Its exit is still seen.
#[test]
fn a_child_that_nobody_holds_is_seen_and_reaped() {
    behaviour("a_child_that_nobody_holds_is_seen_and_reaped", |driver| {
        let record = driver.spawn(bare("sleep 0.1; exit 4")).record;
        driver.drive_to_end(&record);
        assert_eq!(record.code(), 4);
        let record = driver.spawn(by_signal("exec <&- >&- 2>&-; sleep 0.2; exit 5")).record;
        driver.until("its pipes are closed", WATCHDOG, || record.lost() == [0, 1, 2]);
        assert!(record.exited().is_none());
        driver.drive_to_end(&record);
        assert_eq!(record.code(), 5);
    });
}

/// A child that stops or continues also sends SIGCHLD, but has not ended.
#[test]
fn a_stop_is_no_exit() {
    behaviour("a_stop_is_no_exit", |driver| {
        let child = driver.spawn(by_signal("exec sleep 100"));
        let pid = child.process.pid().unwrap();
        child.process.signal(Signal::STOP).unwrap();
        driver.until_seen("it is stopped", WATCHDOG, || process_state(pid) == 'T');
        driver.run_for(ms(50));
        child.process.signal(Signal::CONT).unwrap();
        driver.until_seen("it runs on", WATCHDOG, || process_state(pid) != 'T');
        driver.run_for(ms(50));
        assert!(child.record.exited().is_none());
        child.process.signal(Signal::TERM).unwrap();
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.signal(), 15);
    });
}

/// Signals are sent by number as long as the number is the child's, and no longer after the reap.
#[test]
fn signals_end_with_the_reap() {
    behaviour("signals_end_with_the_reap", |driver| {
        let child = driver.spawn(bare("exit 0"));
        sys::wait_until_zombie(child.process.pid().unwrap());
        child.process.signal(Signal::KILL).unwrap(); // a zombie can be signalled
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 0);
        let again = child.process.signal(Signal::KILL);
        assert!(matches!(again, Err(SignalError::ProcessExitedAlready)), "{again:?}");
        let group = child.process.signal_group(Signal::KILL);
        assert!(matches!(group, Err(SignalError::NoGroup)), "{group:?}");

        let leader = driver.spawn(by_signal("sleep 100 & echo r; wait").process_group(0));
        driver.until("it is ready", WATCHDOG, || leader.record.text(1) == "r\n");
        leader.process.signal_group(Signal::TERM).unwrap();
        driver.drive_to_end(&leader.record);
        assert_eq!(leader.record.signal(), 15);
        let group = leader.process.signal_group(Signal::KILL);
        assert!(matches!(group, Err(SignalError::ProcessExitedAlready)), "{group:?}");
    });
}

#[test]
fn a_termination_reports_its_end() {
    behaviour("a_termination_reports_its_end", |driver| {
        let child = driver.spawn(by_signal("trap '' TERM; echo r; while :; do sleep 0.1; done"));
        driver.until("it is ready", WATCHDOG, || child.record.text(1) == "r\n");
        let told = Rc::new(RefCell::new(None));
        let slot = told.clone();
        child.process.terminate(Signal::TERM, ms(200)).done(move |result| {
            *slot.borrow_mut() = Some(result.expect("it ends"));
        });
        driver.drive_to_end(&child.record);
        let told = told.take().expect("the termination is told");
        assert!(told.escalated());
        assert_eq!(child.record.signal(), 9);
    });
}

/// Foreign code that waits for any child takes the status. The child still ends.
#[test]
fn a_status_that_foreign_code_took_is_lost() {
    behaviour("a_status_that_foreign_code_took_is_lost", |driver| {
        let child = driver.spawn(by_signal("exit 9"));
        reap(child.process.pid().unwrap());
        driver.drive_to_end(&child.record);
        let reason = child.record.ended().unwrap();
        assert_eq!(reason.unwrap_err().unknown_end(), Some(UnknownEnd::Taken));
    });
}

/// A terminal works the same without a pidfd.
#[test]
fn a_terminals_child_is_seen() {
    behaviour("a_terminals_child_is_seen", |driver| {
        let record = driver.run(by_signal("echo x; exit 3").pty(Pty::new()));
        assert_eq!((record.text(1).as_str(), record.code()), ("x\r\n", 3));
    });
}

/// A descendant that holds a pipe delays the end, but only up to the bound.
#[test]
fn the_bound_on_draining_holds() {
    behaviour("the_bound_on_draining_holds", |driver| {
        let child = by_signal("echo early; sleep 1 & exit 0").drain_after_exit(ms(100));
        let record = driver.run(child);
        let ended = record.after_made(|event| matches!(event, Event::Ended(_))).unwrap();
        assert!((ms(100)..ms(900)).contains(&ended), "{record:?}");
        assert_eq!(record.text(1), "early\n");
        assert_eq!(record.ended().unwrap().unwrap().held_fds().len(), 2);
    });
}

/// Both ways of watching work side by side.
#[test]
fn both_ways_of_watching_live_side_by_side() {
    behaviour("both_ways_of_watching_live_side_by_side", |driver| {
        let all: Vec<_> = (0..30)
            .map(|number| {
                let child = sh(&format!("exit {number}"));
                driver.spawn(if number % 2 == 0 { child } else { child.without_pidfd() })
            })
            .collect();
        driver.drive_all_to_end(WATCHDOG);
        for (number, child) in (0..).zip(&all) {
            assert_eq!(child.record.code(), number);
        }
    });
}

/// A child that is started in a callback of the last child is seen as well.
#[test]
fn a_child_that_is_started_at_the_end_of_another_is_seen() {
    behaviour("a_child_that_is_started_at_the_end_of_another_is_seen", |driver| {
        for phase in 0..2 {
            let next: Rc<RefCell<Option<Record>>> = Rc::default();
            let slot = next.clone();
            let handle = driver.handle();
            let first = driver.spawn_with(bare("exit 1"), move |_, event| {
                let now = match event {
                    Event::Exited(_) => phase == 0,
                    Event::Ended(_) => phase == 1,
                    _ => false,
                };
                if now {
                    let (recorder, record) = Recorder::new();
                    handle.spawn_process(recorder, bare("sleep 0.1; exit 2")).expect("it starts");
                    *slot.borrow_mut() = Some(record);
                }
            });
            driver.drive_to_end(&first.record);
            let next = next.take().expect("it was started");
            driver.drive_to_end(&next);
            assert_eq!((first.record.code(), next.code()), (1, 2));
        }
    });
}

/// A protocol that panics ends neither the watch nor the other children.
#[test]
fn the_panic_of_one_protocol_harms_no_other_child() {
    isolated("the_panic_of_one_protocol_harms_no_other_child", || {
        let mut driver = Driver::new();
        let all: Vec<_> = (0..3)
            .map(|number| {
                driver.spawn_with(bare("read x 2>/dev/null; exit 3"), move |_, event| {
                    assert!(number != 1 || !matches!(event, Event::Exited(_)), "on purpose");
                })
            })
            .collect();
        for child in &all {
            sys::wait_until_zombie(child.process.pid().unwrap());
        }
        let turns = std::panic::AssertUnwindSafe(|| driver.run_for(ms(300)));
        let panic = std::panic::catch_unwind(turns).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
        driver.run_for(ms(100));
        assert_eq!((all[0].record.code(), all[2].record.code()), (3, 3));
        let late = driver.spawn(bare("exit 4"));
        driver.drive_to_end(&late.record);
        assert_eq!(late.record.code(), 4);
        Leaks::assert_no_children();
    });
}

/// The thread's next reactor installs its own watch, even while handles of the previous reactor
/// live.
#[test]
fn a_later_reactor_sees_its_own_children() {
    isolated("a_later_reactor_sees_its_own_children", || {
        let first = Reactor::new().unwrap();
        let (recorder, left) = Recorder::new();
        let old = first.spawn_process(recorder, bare("exec sleep 100")).unwrap();
        let pid = old.pid().unwrap();
        drop(first);
        assert!(left.exited().is_none(), "its reactor is gone");
        let mut driver = Driver::new();
        let child = driver.spawn(bare("sleep 0.1; exit 6"));
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 6);
        assert!(matches!(old.signal(Signal::KILL), Err(SignalError::ReactorGone)));
        assert!(children().iter().all(|(number, ..)| *number == pid), "{:?}", children());
        drop(driver);
        kill_process(number(pid), rustix::process::Signal::KILL).expect("it runs");
        reap(pid);
    });
}

/// Dropping the reactor kills the children with `kill_on_drop`, with pipes or without.
#[test]
fn children_with_kill_on_drop_are_killed_with_the_reactor() {
    isolated("children_with_kill_on_drop_are_killed_with_the_reactor", || {
        let reactor = Reactor::new().unwrap();
        let start = |command: Command| {
            let (recorder, _record) = Recorder::new();
            reactor.spawn_process(recorder, command).unwrap().pid().unwrap()
        };
        let killed = [start(bare("exec sleep 100").kill_on_drop(true)), {
            let piped = by_signal("exec sleep 100").kill_on_drop(true);
            start(piped)
        }];
        let spared = start(bare("exec sleep 100"));
        drop(reactor);
        for pid in killed {
            if sys::wait_until_killed(pid) {
                reap(pid);
            }
        }
        assert!(!"ZX".contains(process_state(spared)), "it was to run on");
        kill_process(number(spared), rustix::process::Signal::KILL).expect("it runs");
        reap(spared);
    });
}

/// The library gives the signal back when the last such child is gone.
#[test]
fn the_signal_is_given_back_with_the_last_child() {
    behaviour("the_signal_is_given_back_with_the_last_child", |driver| {
        sys::count_signal(libc::SIGCHLD);
        assert_eq!(driver.run(by_signal("exit 0")).code(), 0);
        let seen = sys::counted();
        assert!(seen >= 1, "a handler that was there is called as before");
        assert_eq!(driver.run(sh("exit 0")).code(), 0);
        assert!(sys::counted() > seen, "and goes on being called");
    });
}

#[test]
fn an_owned_group_is_killed_with_its_leader() {
    behaviour("an_owned_group_is_killed_with_its_leader", |driver| {
        let script = "(trap '' TERM; while :; do sleep 0.1; done) & echo $!; wait";
        let child = driver.spawn(sh(script).owned(true).without_pidfd());
        driver.until("its pid", WATCHDOG, || child.record.text(1).ends_with('\n'));
        let grandchild: u32 = child.record.text(1).trim().parse().expect("a number");
        child.process.terminate(Signal::TERM, ms(200)).detach();
        driver.drive_to_end(&child.record);
        let is_dead = || "ZX".contains(process_state(grandchild));
        driver.until_seen("the grandchild is dead", WATCHDOG, is_dead);
        assert!(is_dead());
    });
}
