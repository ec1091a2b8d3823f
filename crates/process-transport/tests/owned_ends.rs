//! Owned children end with a program that INT, TERM, HUP or QUIT ends: all members of their groups,
//! wherever the program is at that moment, and no other process.
#![cfg(feature = "reactor")]

mod util;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::util::{Owner, WAYS, lives, ms, root_or_skip, signals_groups_by_pidfd, skip_here};

const SIGNALS: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];

/// The program is in a wait or in a callback that never returns; it uses a loop, no loop, or an
/// adopted child.
#[test]
fn nothing_of_a_group_lives_when_a_signal_has_ended_the_program() {
    for signal in SIGNALS {
        for mode in ["block_on", "callback", "spawn", "adopt"] {
            let owner = Owner::start(&format!("{mode} grace=20"));
            owner.signal(signal);
            owner.dies_by(signal);
        }
    }
}

/// Holds whatever memory the child shares while it starts, with a pidfd and without.
#[test]
fn nothing_of_a_group_lives_however_it_was_started() {
    for way in WAYS {
        for mode in ["block_on", "spawn"] {
            let owner = Owner::start_by(way, &format!("{mode} grace=20"));
            owner.signal(Signal::TERM);
            owner.dies_by(Signal::TERM);
        }
    }
}

/// The first signal stops the run, and the second one ends the program.
#[test]
fn the_signal_after_the_one_that_stopped_a_run_ends_the_groups() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut owner = Owner::start("run grace=20");
        owner.signal(signal);
        owner.until_said("run has returned");
        owner.signal(signal);
        owner.dies_by(signal);
    }
    // A run does not claim QUIT.
    let owner = Owner::start("run grace=20");
    owner.signal(Signal::QUIT);
    owner.dies_by(Signal::QUIT);
}

/// TERM comes first, so that git removes its lock and docker its container.
#[test]
fn a_group_has_a_grace_to_end_by_itself() {
    for signal in SIGNALS {
        let owner = Owner::start("polite grace=2000");
        owner.signal(signal);
        let (status, said, took) = owner.end();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{said}");
        assert!(said.contains("polite\n"), "{said}");
        assert!(took < util::bound(ms(1500)), "the leader ended early, and it took {took:?}");
    }
}

/// Case OL-19. TERM ends the shell. Its children still have their grace.
#[test]
fn a_group_has_its_grace_when_its_leader_has_ended() {
    for (mode, ends) in [
        ("trapper grace=2000", ProgramEnd::BySignal),
        ("spawn_trapper grace=2000", ProgramEnd::BySignal),
        ("trapper grace=2000 ends=15", ProgramEnd::With(9)),
        ("exit_trapper grace=2000", ProgramEnd::With(3)),
    ] {
        let owner = Owner::start(mode);
        let is_told = mode.starts_with("exit");
        owner.signal(if is_told { Signal::USR1 } else { Signal::TERM });
        let (status, said, took) = owner.end();
        match ends {
            ProgramEnd::BySignal => {
                assert_eq!(status.signal(), Some(libc::SIGTERM), "{mode}: {said}")
            }
            ProgramEnd::With(code) => assert_eq!(status.code(), Some(code), "{mode}: {said}"),
        }
        assert!(said.contains("clean\n"), "{mode}: {said}");
        assert!((ms(290)..util::bound(ms(1500))).contains(&took), "{mode}: {took:?}");
    }
    // Without a pidfd, the leader is a zombie that only its number identifies.
    let owner = Owner::start_by("fork,without_pidfd", "trapper grace=2000");
    owner.signal(Signal::TERM);
    let (_, said, _) = owner.end();
    assert!(said.contains("clean\n"), "{said}");
}

/// The way in which a program ends.
enum ProgramEnd {
    BySignal,
    With(i32),
}

/// Case OL-19. The member gets KILL when its own grace is over. A further signal cuts the grace
/// short.
#[test]
fn a_deaf_member_gets_kill_after_the_grace_of_its_leader_that_has_ended() {
    let leader_has_left = |grace: u32| {
        let mut owner = Owner::start(&format!("held_left grace={grace}"));
        owner.until_said("exited");
        owner
    };
    if signals_groups_by_pidfd() {
        let owner = leader_has_left(400);
        owner.signal(Signal::TERM);
        let took = owner.dies_by(Signal::TERM);
        assert!((ms(390)..util::bound(ms(1500))).contains(&took), "{took:?}");
        let mut owner = leader_has_left(2000);
        owner.signal(Signal::TERM);
        owner.wait(ms(350));
        owner.signal(Signal::INT);
        let took = owner.dies_by(Signal::TERM);
        assert!(took < util::bound(ms(1000)), "{took:?}");
    } else {
        skip_here("a group that its leader has left", "before Linux 6.9");
    }
}

/// Case OL-20. The kernel needs a while to end a killed process.
#[test]
fn nothing_of_a_group_lives_at_the_moment_at_which_the_program_is_gone() {
    for (mode, signal) in [
        ("callback_heavy grace=20", Signal::TERM),
        ("heavy grace=20", Signal::INT),
        ("spawn_heavy grace=20", Signal::TERM),
        ("spawn_heavy grace=20 ends=15", Signal::TERM),
        ("exit_heavy grace=20", Signal::USR1),
    ] {
        let mut owner = Owner::start(mode);
        let (leader, member) = (owner.number("leader="), owner.number("member="));
        owner.signal(signal);
        let status = owner.end_alone();
        assert!(!lives(leader) && !lives(member), "{mode}: {status}");
    }
}

/// Case OL-21. If SIGCHLD is ignored, the kernel keeps no zombie of the leader, but the group still
/// exists.
#[test]
fn a_group_has_its_grace_when_nobody_reaps_its_leader() {
    if !signals_groups_by_pidfd() {
        return skip_here("a group whose leader is gone", "before Linux 6.9");
    }
    for mode in ["trapper grace=2000", "spawn_trapper grace=2000"] {
        let owner = Owner::start(&format!("ignore={} {mode}", libc::SIGCHLD));
        owner.signal(Signal::TERM);
        let (status, said, took) = owner.end();
        assert_eq!(status.signal(), Some(libc::SIGTERM), "{mode}: {said}");
        assert!(said.contains("clean\n"), "{mode}: {said}");
        assert!((ms(290)..util::bound(ms(1500))).contains(&took), "{mode}: {took:?}");
    }
}

/// Members that do not end get KILL when the grace is over, and not before.
#[test]
fn a_deaf_group_gets_kill_after_its_grace() {
    let owner = Owner::start("block_on grace=400");
    owner.signal(Signal::TERM);
    let took = owner.dies_by(Signal::TERM);
    assert!(took >= ms(390), "{took:?}");
    // The grace is at most two seconds.
    let owner = Owner::start("block_on grace=60000");
    owner.signal(Signal::HUP);
    let took = owner.dies_by(Signal::HUP);
    assert!((ms(1990)..util::bound(ms(3000))).contains(&took), "{took:?}");
}

/// A user who presses Ctrl-C again does not want to wait. A repetition within 300 ms is an echo of
/// the first signal and does not count. A HUP never counts, because a shell whose terminal is
/// closed sends two.
#[test]
fn a_further_signal_after_300_ms_cuts_the_grace_short() {
    for further in [Signal::INT, Signal::QUIT] {
        let took = two_signals(Signal::TERM, further, ms(350));
        assert!(took < util::bound(ms(1000)), "{further:?}: {took:?}");
    }
    for (first, further, pause) in
        [(Signal::TERM, Signal::HUP, ms(350)), (Signal::INT, Signal::INT, ms(100))]
    {
        let took = two_signals(first, further, pause);
        assert!(took >= ms(1900) - pause, "{further:?}: {took:?}");
    }
}

/// Sends the second signal after a pause. Returns how long the program then took to end.
fn two_signals(first: Signal, second: Signal, after: Duration) -> Duration {
    let mut owner = Owner::start("block_on grace=2000");
    owner.signal(first);
    owner.wait(after);
    owner.signal(second);
    owner.dies_by(first)
}

/// A forked copy of the program does not end the children of its parent.
#[test]
fn a_forked_copy_that_is_ended_leaves_its_parents_groups_alone() {
    let mut owner = Owner::start("fork grace=20");
    let copy = Pid::from_raw(owner.number("copy=").cast_signed()).unwrap();
    kill_process(copy, Signal::TERM).unwrap();
    while lives(owner.number("copy=")) {
        std::thread::yield_now();
    }
    let leader = owner.number("leader=");
    assert!(lives(leader), "the parent's child");
    owner.signal(Signal::INT);
    owner.dies_by(Signal::INT);
}

/// Case OL-17. The leader has ended and is reaped, but the child has not ended. The leader's number
/// then belongs to no process that the program knows.
#[test]
fn a_group_that_its_leader_has_left_ends_with_the_program_while_it_holds_an_output() {
    if !signals_groups_by_pidfd() {
        return skip_here("a group that its leader has left", "before Linux 6.9");
    }
    for way in ["shared-files", "shared-memory", "fork"] {
        for mode in ["held_left", "spawn_held_left"] {
            let mut owner = Owner::start_by(way, &format!("{mode} grace=20"));
            owner.until_said("exited");
            owner.signal(Signal::TERM);
            owner.dies_by(Signal::TERM);
        }
    }
    // The same in a handler of the program's own.
    let mut owner = Owner::start("held_left grace=20 ends=15");
    owner.until_said("exited");
    owner.signal(Signal::TERM);
    let (status, said, _) = owner.end();
    assert_eq!(status.code(), Some(9), "{said}");
}

/// Case OL-17. The member was left in the background, and the program no longer waits for it.
#[test]
fn what_a_child_that_has_ended_left_behind_lives_on() {
    for way in ["", ",without_pidfd"] {
        let mut owner = Owner::start_by(way, "left grace=20");
        owner.until_said("ended");
        let member = Pid::from_raw(owner.number("member=").cast_signed()).unwrap();
        owner.signal(Signal::TERM);
        assert_eq!(owner.end_alone().signal(), Some(libc::SIGTERM));
        kill_process(member, Signal::USR1).unwrap();
        owner.until_said("still there");
    }
}

/// The program does not end a child without being asked to.
#[test]
fn children_that_are_to_live_on_survive_the_program() {
    for mode in ["bare", "without_signals", "live_on"] {
        let mut owner = Owner::start(&format!("{mode} grace=20"));
        let leader = owner.number("leader=");
        owner.signal(Signal::TERM);
        assert_eq!(owner.end_alone().signal(), Some(libc::SIGTERM), "{mode}");
        assert!(lives(leader), "{mode}");
    }
}

/// The kernel does not end PID 1 by these signals, so a handler must not either.
#[test]
fn in_pid_1_a_signal_does_nothing_as_before() {
    if !root_or_skip("PID 1 of a namespace") {
        return;
    }
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", Owner::program()]).stderr(Stdio::null());
    let mut owner = Owner::start_with(command, "block_on grace=20");
    owner.until_said("ready");
    owner.until_said("leader=");
    // The parent of PID 1 is `unshare`, which waits for it.
    let children = format!("/proc/{0}/task/{0}/children", owner.pid());
    let children = std::fs::read_to_string(children).unwrap();
    let init = Pid::from_raw(children.trim().parse().unwrap()).unwrap();
    for signal in SIGNALS {
        kill_process(init, signal).unwrap();
    }
    let status = std::fs::read_to_string(format!("/proc/{init}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    assert_eq!(field("SigCgt:") & 0b100_0000_0000_0111, 0, "none of the four is caught");
    assert!(lives(init.as_raw_nonzero().get().cast_unsigned()));
    kill_process(init, Signal::KILL).unwrap();
    owner.end();
}
