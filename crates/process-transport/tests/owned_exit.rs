//! Owned children end with a program that exits or returns from `main`, as with a program that a
//! signal ends. Any thread may call `exit`, at any moment.
#![cfg(feature = "reactor")]

mod util;

use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;

use crate::util::{Owner, WAYS, lives, ms};

/// Asks the program to end.
fn ask_to_end(owner: &Owner) {
    owner.signal(Signal::USR1);
}

/// Case OL-01. The program drops nothing, so the exit itself ends the group. The exit status stays.
#[test]
fn nothing_of_a_group_lives_when_the_program_has_exited() {
    for mode in ["return", "exit", "exit_in_callback", "exit_in_thread", "exit_without_loop"] {
        let owner = Owner::start(&format!("{mode} grace=20"));
        ask_to_end(&owner);
        let (status, said, _) = owner.end();
        assert_eq!(status.code(), Some(3), "{mode}: {said}");
    }
    for way in WAYS {
        let owner = Owner::start_by(way, "exit grace=20");
        ask_to_end(&owner);
        let (status, said, _) = owner.end();
        assert_eq!(status.code(), Some(3), "{way}: {said}");
    }
}

/// Case OL-02. TERM comes first, and KILL when the grace is over, after at most two seconds.
#[test]
fn an_exit_waits_for_the_grace_and_no_longer() {
    let owner = Owner::start("exit_politely grace=2000");
    ask_to_end(&owner);
    let (status, said, took) = owner.end();
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("polite\n"), "{said}");
    assert!(took < util::bound(ms(1500)), "the leader ended early, and it took {took:?}");
    let owner = Owner::start("exit grace=400");
    ask_to_end(&owner);
    let (_, _, took) = owner.end();
    assert!(took >= ms(390), "{took:?}");
    let owner = Owner::start("exit grace=60000");
    ask_to_end(&owner);
    let (_, _, took) = owner.end();
    assert!((ms(1990)..util::bound(ms(3000))).contains(&took), "{took:?}");
}

/// A user who presses Ctrl-C while the exit waits for the grace does not want to wait.
#[test]
fn a_signal_cuts_the_grace_of_an_exit_short() {
    let mut owner = Owner::start("exit grace=2000");
    ask_to_end(&owner);
    owner.wait(ms(450));
    owner.signal(Signal::INT);
    let took = owner.dies_by(Signal::INT);
    assert!(took < util::bound(ms(1000)), "{took:?}");
}

/// Case OL-03. The exit waits for spawns that are under way. Later spawns fail, and no thread
/// blocks for ever.
#[test]
fn an_exit_in_a_storm_of_spawns_leaves_nobody() {
    for _ in 0..10 {
        let mut owner = Owner::storm_that_exits();
        owner.until_dots(5);
        ask_to_end(&owner);
        let (status, said, _) = owner.end();
        assert_eq!(status.code(), Some(3), "{said}");
    }
}

/// Case LO-10. The same for launches that are under way on the launch threads.
#[test]
fn an_exit_while_launches_are_under_way_leaves_nobody() {
    for dots in 1..=10 {
        let mut owner = Owner::storm_off_the_loop_that_exits();
        owner.until_dots(dots);
        ask_to_end(&owner);
        let (status, said, _) = owner.end();
        assert_eq!(status.code(), Some(3), "{said}");
    }
}

/// Case OL-04. `_exit` and `abort` run no code of the program. The table of a forked copy belongs
/// to its parent. The exit does not end a child without being asked to.
#[test]
fn children_that_no_exit_of_their_program_ends_live_on() {
    for (mode, code) in [
        ("exit_at_once", Some(3)),
        ("abort", None),
        ("exit_without_asking", Some(3)),
        ("exit_and_let_live", Some(3)),
    ] {
        let mut owner = Owner::start(&format!("{mode} grace=20"));
        let leader = owner.number("leader=");
        ask_to_end(&owner);
        let status = owner.end_alone();
        assert_eq!(status.code(), code, "{mode}: {status}");
        assert_eq!(status.signal(), code.is_none().then_some(libc::SIGABRT), "{mode}");
        assert!(lives(leader), "{mode}");
    }
}

#[test]
fn a_forked_copy_that_exits_leaves_its_parents_groups_alone() {
    let mut owner = Owner::start("exit_in_copy grace=20");
    let leader = owner.number("leader=");
    ask_to_end(&owner);
    while lives(owner.number("copy=")) {
        std::thread::yield_now();
    }
    assert!(lives(leader), "the parent's child");
    owner.signal(Signal::INT);
    owner.dies_by(Signal::INT);
}
