//! Which system calls served on this kernel. An old kernel lacks some, and the library then does the
//! same with others. strace shows both, and `served` reports them; no filter takes a call away.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;
#[path = "spawn_paths/trace.rs"]
mod trace;
#[path = "spawn_paths/traced.rs"]
mod traced;
#[path = "spawn_paths/watch.rs"]
mod watch;

use std::fs::File;

use procession_core::Signal;
use procession_process_transport::Command;
use procession_protocol::UnknownEnd;
use procession_test_support::{core_dumps_end_one_process, served, signals_groups_by_pidfd};
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::filter::kill;
use crate::trace::Call;
use crate::traced::{mark, place, traced};
use crate::util::{Driver, WATCHDOG, behaviour, isolated, sanitizer, sh, signal, skip, sys};

/// Runs `body` under strace, between two marks. Returns the calls between them, of all processes.
fn calls_of(name: &str, body: impl FnOnce(&mut Driver)) -> Option<Vec<Call>> {
    if let Some(sanitizer) = sanitizer() {
        skip(name, &format!("the {sanitizer} sanitizer makes calls of its own"));
        return None;
    }
    let log = traced(name, || {
        let mut driver = Driver::new();
        mark("begin");
        body(&mut driver);
        mark("end");
        driver.finish();
    })?;
    Some(log[place(&log, "begin") + 1..place(&log, "end")].to_vec())
}

/// Returns the calls that begin with `name(` and contain `part`.
fn with<'a>(calls: &'a [Call], name: &str, part: &str) -> Vec<&'a str> {
    let texts = calls.iter().filter(|call| call.name() == name).map(|call| &*call.text);
    texts.filter(|text| text.contains(part)).collect()
}

fn is_shared(clone: &Call) -> bool {
    clone.text.contains("CLONE_FILES")
}

fn failed(text: &str) -> bool {
    text.contains(" = -1 ")
}

/// The pidfd comes from the clone (Linux 5.2), or from a call after it (5.3).
#[test]
fn the_pidfd_of_a_child_has_one_source() {
    let name = "the_pidfd_of_a_child_has_one_source";
    isolated(name, || {
        let calls = calls_of(name, |driver| assert_eq!(driver.run(sh("exit 3")).code(), 3));
        let Some(calls) = calls else { return };
        let by_clone = with(&calls, "clone", "CLONE_PIDFD").into_iter().any(|text| !failed(text));
        let opened = with(&calls, "pidfd_open", "").into_iter().any(|text| !failed(text));
        assert!(by_clone || opened || with(&calls, "pidfd_open", " = -1 ENOSYS").len() == 1);
        let by = match (by_clone, opened) {
            (true, _) => "CLONE_PIDFD",
            (false, true) => "pidfd_open",
            (false, false) => "no pidfd",
        };
        served("the pidfd of a child", by);
    });
}

/// A child closes what it must not have with `close_range` (Linux 5.9), or one by one.
#[test]
fn a_child_closes_what_is_not_its_own() {
    let name = "a_child_closes_what_is_not_its_own";
    isolated(name, || {
        let calls = calls_of(name, |driver| {
            let open = sys::copy_at(File::open("/dev/null").expect("it opens"), 100, false);
            assert_eq!(driver.run(sh("test ! -e /proc/self/fd/100")).code(), 0);
            drop(open);
        });
        let Some(calls) = calls else { return };
        let clone = calls.iter().find(|call| call.name() == "clone").expect("a child was made");
        let is_parent = |call: &Call| call.pid == clone.pid;
        served("a spawn", if is_shared(clone) { "a shared table" } else { "a copied table" });
        let calls: Vec<_> = calls.iter().filter(|call| !is_parent(call)).cloned().collect();
        let all = with(&calls, "close_range", "");
        let by = if all.iter().any(|text| !failed(text)) {
            "close_range"
        } else {
            assert!(!with(&calls, "getdents64", "").is_empty(), "by the list in /proc: {calls:?}");
            "/proc/self/fd"
        };
        served("closing descriptors in a child", by);
    });
}

/// A group gets its signal by the pidfd of its leader (Linux 6.9), or else by its number.
#[test]
fn a_signal_reaches_a_group_by_pidfd_or_by_number() {
    let name = "a_signal_reaches_a_group_by_pidfd_or_by_number";
    isolated(name, || {
        let calls = calls_of(name, |driver| {
            let leader = driver.spawn(sh("sleep 100 & echo r; wait").process_group(0));
            driver.until("it is ready", WATCHDOG, || leader.record.text(1) == "r\n");
            leader.process.signal_group(Signal::TERM).expect("the group is there");
            driver.drive_to_end(&leader.record);
            assert_eq!(leader.record.signal(), libc::SIGTERM);
        });
        let Some(calls) = calls else { return };
        let by_number = with(&calls, "kill", "kill(-");
        let by_pidfd = with(&calls, "pidfd_send_signal", "SIGTERM");
        assert_eq!(by_pidfd.len(), 1, "the pidfd is tried: {by_pidfd:?}");
        let refused = by_pidfd[0].contains(" = -1 EINVAL");
        assert_eq!(refused, !by_number.is_empty(), "{by_pidfd:?} {by_number:?}");
        assert_eq!(refused, !signals_groups_by_pidfd());
        let by = if refused { "kill, after EINVAL for the pidfd" } else { "pidfd_send_signal" };
        served("a signal to a group", by);
    });
}

/// If other code has reaped a child, the pidfd has its status (Linux 6.15), or it is reported as lost.
#[test]
fn a_status_that_other_code_took_is_kept_or_lost() {
    behaviour("a_status_that_other_code_took_is_kept_or_lost", |driver| {
        let child = driver.spawn(sh("exit 3"));
        let pid = Pid::from_raw(child.process.pid().expect("it runs").cast_signed());
        let (_, status) = waitpid(pid, WaitOptions::empty()).expect("our child").expect("its end");
        assert_eq!(status.exit_status(), Some(3));
        driver.drive_to_end(&child.record);
        let reason = child.record.ended().expect("it has ended").expect_err("it is not 0");
        let by = if reason.is_lost() {
            assert_eq!(reason.unknown_end(), Some(UnknownEnd::Taken));
            "nothing: it is lost, and that is reported"
        } else {
            assert_eq!(reason.exit_code(), Some(3));
            "PIDFD_GET_INFO"
        };
        served("a status that other code took", by);
    });
}

/// A filter that kills a child before its exec ends the child alone (Linux 5.16), or also the parent,
/// which shares its memory: SIGSYS dumps core.
#[test]
fn a_core_dump_before_the_exec_ends_the_child_or_its_parent_too() {
    isolated("a_core_dump_before_the_exec_ends_the_child_or_its_parent_too", || {
        let copy = sys::fork(|| {
            kill(libc::SYS_setsid);
            let mut child = Command::new("/bin/true").new_session().spawn().expect("it started");
            let reason = child.wait().expect("it has ended");
            i32::from(signal(&reason) != Some(libc::SIGSYS))
        });
        let copy = Pid::from_raw(copy.cast_signed());
        let (_, status) = waitpid(copy, WaitOptions::empty()).expect("our child").expect("its end");
        let is_alone = status.exit_status() == Some(0);
        assert!(is_alone || status.terminating_signal() == Some(libc::SIGSYS), "{status:?}");
        assert_eq!(is_alone, core_dumps_end_one_process());
        let by = if is_alone { "the child alone ends" } else { "its parent ends too" };
        served("a filter that kills a child", by);
    });
}
