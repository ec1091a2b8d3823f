//! Area XS: the exact way in which a child ended.
#![cfg(feature = "reactor")]

mod util;

use std::os::unix::process::ExitStatusExt;

use procession_core::Signal;
use procession_protocol::ExitReason;

use crate::util::{
    Event, WATCHDOG, behaviour, code, command, ms, probe, process_state, sh, signal, skip,
};

/// Returns the raw wait status of a reason.
fn raw(reason: &ExitReason) -> i32 {
    let raw = match reason {
        Ok(done) => done.raw_status(),
        Err(terminated) => terminated.raw_status(),
    };
    raw.expect("the status is known")
}

/// Case XS-01.
#[test]
fn success_is_done() {
    behaviour("success_is_done", |driver| {
        let reason = driver.run(command("/bin/true")).ended().unwrap();
        assert!(reason.is_ok());
        assert_eq!((code(&reason), signal(&reason), raw(&reason)), (Some(0), None, 0));
        let status = reason.unwrap().exit_status().unwrap();
        assert!(status.success());
    });
}

/// Case XS-02.
#[test]
fn every_exit_code_arrives() {
    behaviour("every_exit_code_arrives", |driver| {
        for number in [1, 2, 42, 126, 127, 128, 254, 255] {
            let reason = driver.run(sh(&format!("exit {number}"))).ended().unwrap();
            assert!(reason.is_err(), "{number}");
            let found = (code(&reason), signal(&reason), raw(&reason));
            assert_eq!(found, (Some(number), None, number << 8));
        }
    });
}

/// Case XS-03.
#[test]
fn an_exit_code_has_eight_bits() {
    behaviour("an_exit_code_has_eight_bits", |driver| {
        let reason = driver.run(probe(["exit", "256"])).ended().unwrap();
        assert!(reason.is_ok() && code(&reason) == Some(0), "{reason:?}");
        let reason = driver.run(probe(["exit", "257"])).ended().unwrap();
        assert!(reason.is_err() && code(&reason) == Some(1), "{reason:?}");
    });
}

/// Case XS-04.
#[test]
fn every_signal_that_ends_a_child_is_named() {
    behaviour("every_signal_that_ends_a_child_is_named", |driver| {
        let dir = tempfile::tempdir().unwrap(); // for core files
        for number in [1, 2, 3, 6, 9, 11, 13, 14, 15, 34, 64] {
            let child = sh(&format!("kill -{number} $$")).current_dir(dir.path());
            let reason = driver.run(child).ended().unwrap();
            assert_eq!((code(&reason), signal(&reason)), (None, Some(number)));
            assert_eq!(raw(&reason) & 0x7f, number);
        }
    });
}

/// Case XS-05.
#[test]
fn a_core_dump_does_not_change_the_signal() {
    behaviour("a_core_dump_does_not_change_the_signal", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let core = rustix::process::Resource::Core;
        let maximum = rustix::process::getrlimit(core).maximum;
        let limit = rustix::process::Rlimit { current: maximum, maximum };
        rustix::process::setrlimit(core, limit).unwrap();
        let record = driver.run(sh("kill -ABRT $$").current_dir(dir.path()));
        let reason = record.ended().unwrap();
        assert_eq!((code(&reason), signal(&reason)), (None, Some(6)));
        // The machine's settings decide whether there is a dump. The bit is passed on unchanged.
        let dumped = raw(&reason) & 0x80 != 0;
        assert_eq!(raw(&reason) & !0x80, 6);
        assert_eq!(reason.unwrap_err().core_dumped(), dumped);
        if maximum.is_none() {
            let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
            assert!(dumped || pattern.trim().is_empty(), "core_pattern is {pattern:?}");
        } else {
            skip("XS-05, the bit", "the hard limit forbids core dumps");
        }
    });
}

/// Case XS-06.
#[test]
fn exited_and_ended_are_given_the_same_status() {
    behaviour("exited_and_ended_are_given_the_same_status", |driver| {
        for script in ["exit 3", "kill -15 $$"] {
            let record = driver.run(sh(script));
            let (exited, ended) = (record.exited().unwrap(), record.ended().unwrap());
            assert_eq!(exited, ended, "{script}");
            let status = raw(&exited);
            let wanted = if script == "exit 3" { (Some(3), None) } else { (None, Some(15)) };
            let found = (
                libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
                libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
            );
            assert_eq!(found, wanted, "{script}");
            let std_status = exited.unwrap_err().exit_status().unwrap();
            assert_eq!((std_status.code(), std_status.signal()), wanted, "{script}");
        }
    });
}

/// Case XS-07.
#[test]
fn a_trapped_signal_is_no_death_by_signal() {
    behaviour("a_trapped_signal_is_no_death_by_signal", |driver| {
        let script = "trap 'exit 17' TERM; kill -TERM $$; sleep 5";
        let reason = driver.run(sh(script)).ended().unwrap();
        assert_eq!((code(&reason), signal(&reason)), (Some(17), None));
    });
}

/// Case XS-08.
#[test]
fn a_stopped_child_has_not_exited() {
    behaviour("a_stopped_child_has_not_exited", |driver| {
        let child = driver.spawn(command("/bin/sleep").arg("0.3"));
        let pid = child.process.pid().unwrap();
        child.process.signal(Signal::STOP).unwrap();
        driver.until_seen("it is stopped", WATCHDOG, || process_state(pid) == 'T');
        driver.run_for(ms(600));
        assert!(child.record.exited().is_none(), "{:?}", child.record);
        assert_eq!(process_state(pid), 'T');
        child.process.signal(Signal::CONT).unwrap();
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.code(), 0);
        assert_eq!(child.record.count(|event| matches!(event, Event::Exited(_))), 1);
    });
}

/// Case XS-10.
#[test]
fn an_exec_in_another_thread_is_no_exit() {
    behaviour("an_exec_in_another_thread_is_no_exit", |driver| {
        let child = driver.spawn(probe(["thread-exec", "sleep 0.5; exit 9"]));
        driver.drive_to_end(&child.record);
        let record = &child.record;
        let exits = |event: &Event| matches!(event, Event::Exited(_));
        assert!(record.came_within(exits, ms(500), ms(1000)), "{record:?}");
        assert_eq!((record.count(exits), record.code()), (1, 9));
    });
}

/// Case XS-11.
#[test]
fn a_race_of_exit_and_signal_has_one_outcome() {
    behaviour("a_race_of_exit_and_signal_has_one_outcome", |driver| {
        for _ in 0..300 {
            let child = driver.spawn(sh("exit 5"));
            child.process.signal(Signal::KILL).expect("it is not reaped yet");
            driver.drive_to_end(&child.record);
            let reason = child.record.ended().unwrap();
            let outcome = (code(&reason), signal(&reason));
            assert!(matches!(outcome, (Some(5), None) | (None, Some(9))), "{outcome:?}");
        }
    });
}

/// The reason carries the resource usage of the child alone.
#[test]
fn the_reason_has_the_childs_resource_usage() {
    behaviour("the_reason_has_the_childs_resource_usage", |driver| {
        let spin = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let reason = driver.run(sh(spin)).ended().unwrap().unwrap();
        let usage = reason.usage().expect("the reactor reaped it");
        let time = usage.user_time() + usage.system_time();
        assert!(time > ms(5) && time < WATCHDOG, "{usage:?}");
    });
}
