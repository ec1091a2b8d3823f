//! The handler that ends owned children beside what else a program does with its signals: a
//! disposition that is not the default stays what it is, whoever set it, and when.
#![cfg(feature = "reactor")]

mod util;

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use rustix::process::Signal;

use crate::util::{Owner, lives};

const SIGNALS: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];

/// `nohup`, and the background jobs of scripts.
#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    for (before, after) in [("ignore=1 ignore=2", ""), ("", "ignore=1 ignore=2")] {
        let owner = Owner::start(&format!("{before} block_on grace=20 {after}"));
        owner.signal(Signal::HUP);
        owner.signal(Signal::INT);
        // One that is not ignored acts for all of them, and is the only one that is told.
        owner.signal(Signal::TERM);
        owner.dies_by(Signal::TERM);
    }
}

#[test]
fn a_handler_of_the_programs_own_stays_and_the_groups_are_left_to_it() {
    for (before, after) in [("handler=15", ""), ("", "handler=15")] {
        let mut owner = Owner::start(&format!("{before} block_on grace=20 {after}"));
        let leader = owner.number("leader=");
        owner.signal(Signal::TERM);
        assert_eq!(owner.end_alone().code(), Some(7));
        assert!(lives(leader));
    }
}

/// Such a handler can do the same by one call.
#[test]
fn a_handler_of_the_programs_own_can_end_the_groups() {
    for signal in SIGNALS {
        for mode in ["block_on", "callback", "spawn"] {
            let number = signal.as_raw();
            let owner = Owner::start(&format!("{mode} grace=20 ends={number}"));
            owner.signal(signal);
            let (status, said, _) = owner.end();
            assert_eq!(status.code(), Some(9), "{mode}, {signal:?}: {status}\n{said}");
        }
    }
}

/// After the call the children can be reaped, and none can be started.
#[test]
fn a_program_goes_on_to_its_end_after_it_has_ended_the_groups() {
    let owner = Owner::start_with(Command::new(Owner::program()), "spawn grace=20 call=0");
    let (status, said, _) = owner.end();
    assert_eq!(status.code(), Some(5), "{status}\n{said}");
}

/// A handler that was installed after ours, and calls the one before it: signal-hook's and tokio's
/// do. The program's own graceful path is not cut off.
#[test]
fn a_later_handler_that_calls_the_one_before_keeps_its_graceful_path() {
    let mut owner = Owner::start("exit_by_chain grace=20 chain=15");
    owner.signal(Signal::TERM);
    owner.until_said("graceful");
    let (status, said, _) = owner.end();
    // The reactor is dropped by then, and with it the group.
    assert_eq!(status.code(), Some(3), "{status}\n{said}");
}

/// signal-hook, which the reactor's watches stand on, before and after the first child.
#[test]
fn a_watched_signal_is_told_and_ends_nobody() {
    for (before, after) in [("watch=15", ""), ("", "watch=15")] {
        let mut owner = Owner::start(&format!("{before} block_on grace=20 {after}"));
        let leader = owner.number("leader=");
        owner.signal(Signal::TERM);
        owner.until_said("seen");
        assert!(lives(leader), "{before}, {after}");
        owner.signal(Signal::HUP);
        owner.dies_by(Signal::HUP);
    }
}

/// When nobody watches it any more a signal does what it did before, that of the owned children
/// included.
#[test]
fn a_signal_whose_watch_is_over_ends_the_groups_again() {
    for signal in SIGNALS {
        let number = signal.as_raw();
        for (before, after) in [
            (format!("unwatched={number}"), String::new()),
            (String::new(), format!("unwatched={number}")),
        ] {
            let owner = Owner::start(&format!("{before} block_on grace=20 {after}"));
            owner.signal(signal);
            owner.dies_by(signal);
        }
    }
}

/// A group that ignores its TERM, and a program that is stopped when it comes.
#[test]
fn a_stopped_program_ends_its_groups_when_it_goes_on() {
    let owner = Owner::start("block_on grace=20");
    owner.signal(Signal::STOP);
    owner.signal(Signal::TERM);
    owner.signal(Signal::CONT);
    let (status, said, _) = owner.end();
    assert_eq!(status.signal(), Some(libc::SIGTERM), "{said}");
}
