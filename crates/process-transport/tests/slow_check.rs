//! Exits without pidfds and without SIGCHLD: the program blocks the signal or has given it another
//! handler.
#![cfg(feature = "reactor")]

mod util;

use procession_process_transport::SpawnProcess;
use procession_protocol::UnknownEnd;
use procession_reactor::Reactor;

use crate::util::{Driver, Recorder, behaviour, children, isolated, ms, sh, sys};

/// Another handler replaces the loop's handler while the child runs.
#[test]
fn an_exit_is_reported_although_the_signal_has_another_handler() {
    behaviour("an_exit_is_reported_although_the_signal_has_another_handler", |driver| {
        let child = driver.spawn(sh("sleep 0.1; exit 3").without_pidfd());
        sys::count_signal(libc::SIGCHLD);
        driver.until("the end", ms(1500), || child.record.ended().is_some());
        assert_eq!(child.record.code(), 3);
        assert!(sys::counted() > 0, "the other handler ran");
        // Children that start later are seen too.
        for code in [4, 5] {
            let child = driver.spawn(sh(&format!("exit {code}")).without_pidfd());
            driver.until("the end", ms(1500), || child.record.ended().is_some());
            assert_eq!(child.record.code(), code);
        }
    });
}

/// The signal is ignored from then on, and the status is lost. The reason reports that.
#[test]
fn an_exit_is_reported_although_the_signal_is_ignored() {
    behaviour("an_exit_is_reported_although_the_signal_is_ignored", |driver| {
        let child = driver.spawn(sh("sleep 0.1; exit 3").without_pidfd());
        sys::ignore(libc::SIGCHLD);
        driver.until("the end", ms(1500), || child.record.ended().is_some());
        let ended = child.record.ended().unwrap().unwrap_err();
        assert_eq!(ended.unknown_end(), Some(UnknownEnd::SigchldIgnored));
        sys::default_action(libc::SIGCHLD);
    });
}

/// Every thread blocks the signal, as a program does that reads it from a signalfd.
#[test]
fn an_exit_is_reported_although_every_thread_blocks_the_signal() {
    isolated("an_exit_is_reported_although_every_thread_blocks_the_signal", || {
        // The copy has only this thread.
        sys::in_a_copy(|| {
            sys::block(&[libc::SIGCHLD]);
            let mut driver = Driver::new();
            let child = driver.spawn(sh("sleep 0.1; exit 3").without_pidfd());
            driver.until("the end", ms(1500), || child.record.ended().is_some());
            assert_eq!(child.record.code(), 3);
            driver.finish();
        });
    });
}

/// An orphan that a reactor watches is reaped in this case too. After that, the loop stops its
/// periodic check.
#[test]
fn an_orphan_is_reaped_although_the_signal_has_another_handler() {
    isolated("an_orphan_is_reaped_although_the_signal_has_another_handler", || {
        let first = Reactor::new().unwrap();
        let (recorder, _record) = Recorder::new();
        let left = first.spawn_process(recorder, sh("sleep 0.5").without_pidfd()).unwrap();
        drop(first);
        drop(left);
        let mut driver = Driver::new();
        sys::count_signal(libc::SIGCHLD);
        driver.until_seen("the reap", ms(2500), || children().is_empty());
        driver.run_for(ms(600));
        let turns = driver.turns_in(ms(1200));
        assert!(turns <= 2, "{turns} turns");
        driver.finish();
    });
}
