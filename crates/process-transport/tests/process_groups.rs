//! Area PG: process groups and sessions of children, and signals to a whole group.
#![cfg(feature = "reactor")]

mod util;

use std::rc::Rc;

use procession_core::Signal;
use procession_process_transport::Step;
use procession_protocol::{Process, SignalError};
use rustix::process::{Pid, getpgid, getpid, getsid, kill_process, setsid};

use crate::util::{
    Driver, Event, PROMPTLY, Record, WATCHDOG, behaviour, command, in_every_way, ms, open_fds,
    probe, process_state, sh, sys,
};

/// Converts a pid to the type of rustix.
fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed()).expect("a pid is not 0")
}

/// Returns whether a process is gone or a zombie.
fn is_dead(number: u32) -> bool {
    matches!(process_state(number), 'Z' | 'X')
}

/// Kills a grandchild that a test left.
fn kill(number: u32) {
    kill_process(pid(number), rustix::process::Signal::KILL).expect("it is alive");
}

/// Drives the loop until the child has printed the pid of its own child.
fn printed_pid(driver: &mut Driver, record: &Record) -> u32 {
    driver.until("the pid is printed", WATCHDOG, || record.text(1).ends_with('\n'));
    record.text(1).trim().parse().expect("a pid")
}

/// Ends `cat` and drives it to its end.
fn end(driver: &mut Driver, process: &Process, record: &Record) {
    process.close_stdin();
    driver.drive_to_end(record);
}

/// Case PG-01.
#[test]
fn a_child_is_in_the_parents_group_and_session_by_default() {
    behaviour("a_child_is_in_the_parents_group_and_session_by_default", |driver| {
        // In a PID namespace, the group and session of this process may have no number.
        let own = setsid().expect("a process of its own leads no group");
        assert_eq!(own, getpid());
        let child = driver.spawn(command("/bin/cat"));
        let number = pid(child.process.pid().unwrap());
        assert_eq!(getpgid(Some(number)).unwrap(), own);
        assert_eq!(getsid(Some(number)).unwrap(), own);
        assert_eq!(child.process.group(), None);
        let refused = child.process.signal_group(Signal::TERM);
        assert!(matches!(refused, Err(SignalError::NoGroup)), "{refused:?}");
        end(driver, &child.process, &child.record);
        assert_eq!(child.record.code(), 0);
    });
}

/// Case PG-02.
#[test]
fn a_child_leads_its_group_as_soon_as_it_is_spawned() {
    behaviour("a_child_leads_its_group_as_soon_as_it_is_spawned", |driver| {
        for _ in 0..200 {
            let child = driver.spawn(command("/bin/cat").process_group(0));
            let number = child.process.pid().unwrap();
            assert_eq!(getpgid(Some(pid(number))).unwrap(), pid(number));
            assert_eq!(child.process.group(), Some(number));
            end(driver, &child.process, &child.record);
        }
    });
}

/// Case PG-03.
#[test]
fn a_child_can_join_the_group_of_another() {
    behaviour("a_child_can_join_the_group_of_another", |driver| {
        let a = driver.spawn(command("/bin/cat").process_group(0));
        let leader = a.process.pid().unwrap();
        let b = driver.spawn(command("/bin/cat").process_group(leader.cast_signed()));
        let member = b.process.pid().unwrap();
        assert_eq!(getpgid(Some(pid(member))).unwrap(), pid(leader));
        assert_ne!(leader, member);
        end(driver, &b.process, &b.record);
        end(driver, &a.process, &a.record);
        assert_eq!((a.record.code(), b.record.code()), (0, 0));
    });
}

/// Case PG-04.
#[test]
fn a_group_that_does_not_exist_is_an_error() {
    in_every_way("a_group_that_does_not_exist_is_an_error", |driver| {
        let error = driver.fails(command("/bin/true").process_group(999_999));
        assert_eq!((error.step(), error.raw_os_error()), (Step::ProcessGroup, Some(libc::EPERM)));
    });
}

/// Case PG-05.
#[test]
fn a_signal_to_the_group_reaches_the_grandchild() {
    behaviour("a_signal_to_the_group_reaches_the_grandchild", |driver| {
        let child = driver.spawn(sh("sleep 100 & echo $!; wait").process_group(0));
        let grandchild = printed_pid(driver, &child.record);
        child.process.signal_group(Signal::TERM).unwrap();
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.signal(), 15);
        driver.until_seen("the grandchild is dead", PROMPTLY, || is_dead(grandchild));
    });
}

/// Case PG-06.
#[test]
fn a_signal_to_the_leader_leaves_the_grandchild_alive() {
    behaviour("a_signal_to_the_leader_leaves_the_grandchild_alive", |driver| {
        let child = driver.spawn(sh("sleep 100 & echo $!; wait").process_group(0));
        let grandchild = printed_pid(driver, &child.record);
        driver.until_seen("it sleeps", WATCHDOG, || process_state(grandchild) == 'S');
        child.process.signal(Signal::KILL).unwrap();
        let record = child.record.clone();
        driver.until("the exit", WATCHDOG, || record.exited().is_some());
        assert_eq!(process_state(grandchild), 'S');
        kill(grandchild);
        driver.drive_to_end(&record);
        assert_eq!(record.signal(), 9);
    });
}

/// Case PG-07.
#[test]
fn an_empty_group_has_exited_already() {
    behaviour("an_empty_group_has_exited_already", |driver| {
        let child = driver.spawn(command("/bin/true").process_group(0));
        driver.drive_to_end(&child.record);
        let late = child.process.signal_group(Signal::TERM);
        assert!(matches!(late, Err(SignalError::ProcessExitedAlready)), "{late:?}");
        assert_eq!(child.record.code(), 0);
    });
}

/// Returns whether a pidfd can stand for a whole group, as from Linux 6.9 on.
fn has_group_pidfds() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc is mounted");
    let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(9))
}

/// Case PG-08.
#[test]
fn a_group_can_be_signalled_after_its_leader_was_reaped() {
    behaviour("a_group_can_be_signalled_after_its_leader_was_reaped", |driver| {
        let script = "sleep 100 >/dev/null 2>&1 </dev/null & echo $!; exit 0";
        let child = driver.spawn(sh(script).process_group(0));
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 0);
        let grandchild: u32 = child.record.text(1).trim().parse().unwrap();
        let sent = child.process.signal_group(Signal::KILL);
        if has_group_pidfds() {
            sent.expect("the group is not empty");
            driver.until_seen("the grandchild is dead", WATCHDOG, || is_dead(grandchild));
        } else {
            assert!(matches!(sent, Err(SignalError::ProcessExitedAlready)), "{sent:?}");
            assert!(!is_dead(grandchild));
            kill(grandchild);
        }
    });
}

/// Case PG-09.
#[test]
fn a_new_session_has_no_controlling_terminal() {
    in_every_way("a_new_session_has_no_controlling_terminal", |driver| {
        let record = driver.run(probe(["session"]).new_session());
        assert_eq!(record.text(1), "True\n");
        assert_eq!(record.text(2), format!("errno {}\n", libc::ENXIO));
        assert_eq!(record.code(), 1);
    });
}

/// Case PG-10.
#[test]
fn a_new_session_with_a_group_contradicts_itself() {
    in_every_way("a_new_session_with_a_group_contradicts_itself", |driver| {
        for command in [
            command("/bin/true").new_session().process_group(0),
            command("/bin/true").process_group(0).new_session(),
        ] {
            let error = driver.fails(command);
            assert_eq!((error.step(), error.raw_os_error()), (Step::Validate, Some(libc::EINVAL)));
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        }
        // An owned child in a new session has a session.
        for command in [
            probe(["session"]).owned(true).new_session(),
            probe(["session"]).new_session().owned(true),
        ] {
            let record = driver.run(command);
            assert_eq!((record.text(1).as_str(), record.code()), ("True\n", 1));
        }
    });
}

/// Case PG-11.
#[test]
fn a_group_can_be_joined_until_its_leader_is_reaped() {
    behaviour("a_group_can_be_joined_until_its_leader_is_reaped", |driver| {
        let leader = driver.spawn(command("/bin/true").process_group(0));
        let number = leader.process.pid().unwrap();
        sys::wait_until_zombie(number);
        let joins = || command("/bin/true").process_group(number.cast_signed());
        let member = driver.spawn(joins());
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!((leader.record.code(), member.record.code()), (0, 0));
        let error = driver.fails(joins());
        assert_eq!((error.step(), error.raw_os_error()), (Step::ProcessGroup, Some(libc::EPERM)));
    });
}

/// `terminate` ends an owned group by the signal, and reports that.
#[test]
fn terminate_ends_an_owned_group() {
    behaviour("terminate_ends_an_owned_group", |driver| {
        let child = driver.spawn(sh("sleep 100 & echo $!; wait").owned(true));
        let grandchild = printed_pid(driver, &child.record);
        let result: Rc<std::cell::RefCell<Option<String>>> = Rc::default();
        let slot = result.clone();
        let asked = child.process.terminate(Signal::TERM, ms(500));
        asked.done(move |termination| {
            *slot.borrow_mut() = Some(termination.expect("it ends").to_string());
        });
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.signal(), 15);
        driver.until("the result", WATCHDOG, || result.borrow().is_some());
        let text = result.take().unwrap();
        assert!(text.starts_with("ended by signal 15 (SIGTERM) after "), "{text}");
        driver.until_seen("the grandchild is dead", WATCHDOG, || is_dead(grandchild));
        // The group may live until the grace is over, so its pidfd is kept.
        drop(child);
        let is_kept = || open_fds().values().any(|link| link.contains("[pidfd]"));
        driver.until_seen("the pidfd is closed", WATCHDOG, || !is_kept());
    });
}

/// A group that ignores the signal is killed after the grace.
#[test]
fn terminate_kills_after_the_grace() {
    behaviour("terminate_kills_after_the_grace", |driver| {
        let script = "trap '' TERM; echo r; while :; do sleep 0.1; done";
        let child = driver.spawn(sh(script).owned(true));
        let record = child.record.clone();
        driver.until("it is ready", WATCHDOG, || record.text(1) == "r\n");
        let from = driver.now();
        child.process.terminate(Signal::TERM, ms(300)).done(|termination| {
            assert!(termination.expect("it ends").escalated());
        });
        driver.drive_to_end(&record);
        assert_eq!(record.signal(), 9);
        let exit = record.when(|event| matches!(event, Event::Exited(_))).unwrap();
        assert!((ms(300)..ms(1000)).contains(&(exit - from)), "{record:?}");
    });
}
