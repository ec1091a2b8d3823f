//! The handler that ends owned children, beside other uses of the program's signals. A disposition
//! that is not the default stays unchanged, whoever set it, and whenever.
#![cfg(feature = "reactor")]

mod util;

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use rustix::process::Signal;

use crate::util::{Owner, lives};

const SIGNALS: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];

/// `nohup` ignores signals like this, and so do scripts for their background jobs.
#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    for (before, after) in [("ignore=1 ignore=2", ""), ("", "ignore=1 ignore=2")] {
        let owner = Owner::start(&format!("{before} block_on grace=20 {after}"));
        owner.signal(Signal::HUP);
        owner.signal(Signal::INT);
        // A signal that is not ignored ends all groups, and is the only one that is reported.
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

/// A handler of the program's own can end the groups with one call.
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

/// After the call the program can reap its children, and cannot start any.
#[test]
fn a_program_goes_on_to_its_end_after_it_has_ended_the_groups() {
    let owner = Owner::start_with(Command::new(Owner::program()), "spawn grace=20 call=0");
    let (status, said, _) = owner.end();
    assert_eq!(status.code(), Some(5), "{status}\n{said}");
}

/// A handler that was installed after ours and calls the previous one, as the handlers of
/// signal-hook and tokio do. The program's own graceful path is not cut off.
#[test]
fn a_later_handler_that_calls_the_one_before_keeps_its_graceful_path() {
    let mut owner = Owner::start("exit_by_chain grace=20 chain=15");
    owner.signal(Signal::TERM);
    owner.until_said("graceful");
    let (status, said, _) = owner.end();
    // The reactor was dropped by then, which has ended the group.
    assert_eq!(status.code(), Some(3), "{status}\n{said}");
}

/// signal-hook, on which the reactor's watches are built, is installed before and after the first
/// child.
#[test]
fn a_watched_signal_is_reported_and_ends_no_group() {
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

/// When its last watch is over, a signal acts as before, and that includes ending the owned groups.
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

/// The group ignores TERM, and the program is stopped when TERM comes.
#[test]
fn a_stopped_program_ends_its_groups_when_it_goes_on() {
    let owner = Owner::start("block_on grace=20");
    owner.signal(Signal::STOP);
    owner.signal(Signal::TERM);
    owner.signal(Signal::CONT);
    let (status, said, _) = owner.end();
    assert_eq!(status.signal(), Some(libc::SIGTERM), "{said}");
}
