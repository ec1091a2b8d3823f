//! Whole programs (see `tests/stopper`) that Ctrl-Z or a signal stops, and that are continued.
//! Their owned groups stop and continue with them, and time limits stand still meanwhile.
#![cfg(feature = "reactor")]

mod util;

use std::time::Duration;

use procession_core::Signal;
use util::{Program, bound, is_running, ms, process_state};

/// Returns how long a child of the programs may run.
fn limit() -> Duration {
    bound(ms(800))
}

/// Case TT-08.
#[test]
fn ctrl_z_stops_the_group_as_well_and_time_stands_still() {
    /// The shell reports each stop, and continues the job when somebody types.
    const SHELL: &str = r#"set -m; "$0" "$@"; echo stopped; read x; fg >/dev/null; echo again; read x
        fg >/dev/null; echo over=$?"#;
    let mut shell = Program::on_terminal(SHELL, "timeout", limit());
    let begun = shell.now();
    let all = ["program=", "leader=", "member="].map(|word| shell.number(word));
    let mut stood = Duration::ZERO;
    for word in ["stopped", "again"] {
        shell.process.write("\x1a");
        shell.until_said(word);
        let from = shell.now();
        all.iter().for_each(|pid| shell.until_stopped(*pid));
        shell.wait(limit());
        assert!(all.iter().all(|pid| process_state(*pid) == 'T'), "{}", shell.said());
        assert!(!shell.said().contains("timed out"), "{}", shell.said());
        stood += shell.now() - from;
        shell.process.write("\n");
        all.iter().for_each(|pid| shell.until_running(*pid));
    }
    shell.until_said("timed out");
    assert!(shell.now() - begun >= limit() + stood, "{}", shell.said());
    shell.until_said("over=0");
    assert!(!shell.said().contains("stopped by"), "{}", shell.said());
    assert!(shell.end().is_ok());
}

/// Case TT-09.
#[test]
fn every_reactor_of_the_program_stands_still() {
    let mut program = Program::in_group("threads", limit());
    let begun = program.now();
    let all = ["program=", "leader=", "member=", "other="].map(|word| program.number(word));
    program.signal(Signal::TSTP);
    all.iter().for_each(|pid| program.until_stopped(*pid));
    let from = program.now();
    program.wait(limit() + ms(100));
    let stood = program.now() - from;
    program.signal(Signal::CONT);
    program.until_said("gave up");
    assert!(program.now() - begun >= limit() + stood, "{}", program.said());
    program.until_said("timed out");
    assert!(program.now() - begun >= limit() + stood, "{}", program.said());
    program.until_said("slept");
    assert!(program.now() - begun >= limit() * 2 + stood, "{}", program.said());
    assert!(program.end().is_ok(), "{}", program.said());
}

/// Case TT-10. No process of its session is outside its group, so the kernel does not stop it.
#[test]
fn a_program_that_nobody_would_continue_is_not_stopped() {
    let mut program = Program::in_session("twice", limit());
    for word in ["ready", "again"] {
        program.until_said(word);
        program.signal(Signal::TSTP);
        program.signal(Signal::USR1);
    }
    program.until_said("a child");
    assert!(program.end().is_ok(), "{}", program.said());
}

/// Case TT-11.
#[test]
fn a_watch_of_the_programs_own_takes_the_signal() {
    let mut program = Program::in_group("watch", limit());
    program.until_said("ready");
    program.signal(Signal::TSTP);
    program.until_said("seen");
    program.signal(Signal::USR1);
    program.until_said("without");
    program.signal(Signal::TSTP);
    let pid = program.number("program=");
    program.until_stopped(pid);
    program.signal(Signal::USR1);
    program.signal(Signal::CONT);
    assert!(program.end().is_ok(), "{}", program.said());
}

/// Case TT-11.
#[test]
fn a_stop_that_is_ignored_stays_ignored() {
    let mut program = Program::by_shell(r#"trap "" TSTP; exec "$0" "$@""#, "ready", limit());
    program.until_said("ready");
    program.signal(Signal::TSTP);
    program.signal(Signal::USR1);
    program.until_said("told");
    assert!(program.end().is_ok(), "{}", program.said());
}

/// Case TT-11.
#[test]
fn a_loop_that_claims_no_signals_stops_alone_and_its_time_runs_on() {
    let mut program = Program::in_group("without_signals", limit());
    let all = ["program=", "leader=", "member="].map(|word| program.number(word));
    let begun = program.now();
    program.signal(Signal::TSTP);
    program.until_stopped(all[0]);
    assert!(is_running(all[1]) && is_running(all[2]));
    program.wait((begun + limit()).saturating_sub(program.now()));
    let continued = program.now();
    program.signal(Signal::CONT);
    program.until_said("timed out");
    assert!(program.now() - continued < limit(), "{}", program.said());
    assert!(program.end().is_ok(), "{}", program.said());
}

/// Case TT-12.
#[test]
fn a_child_that_was_stopped_before_is_not_continued() {
    let mut program = Program::in_group("halted", limit());
    let halted = program.number("halted=");
    let ours = ["program=", "leader=", "member="].map(|word| program.number(word));
    program.until_stopped(halted);
    program.signal(Signal::TSTP);
    ours.iter().for_each(|pid| program.until_stopped(*pid));
    program.signal(Signal::CONT);
    ours.iter().for_each(|pid| program.until_running(*pid));
    assert_eq!(process_state(halted), 'T');
    program.signal(Signal::TERM);
    let end = program.end().expect_err("it dies by the signal");
    assert_eq!(end.signal(), Some(Signal::TERM), "{}", program.said());
    let gone = |pid: &u32| matches!(process_state(*pid), 'Z' | 'X');
    assert!(gone(&halted) && ours.iter().all(gone), "{}", program.said());
}

/// Case TT-13.
#[test]
fn a_stop_in_the_shutdown_is_one_and_a_termination_acts_at_the_continuation() {
    let mut program = Program::in_group("deaf", limit());
    let [pid, leader] = ["program=", "leader="].map(|word| program.number(word));
    program.signal(Signal::TSTP);
    program.until_stopped(pid);
    program.until_stopped(leader);
    let begun = program.now();
    program.signal(Signal::TERM);
    program.signal(Signal::CONT);
    // The grace of the group has begun.
    program.until_running(pid);
    program.wait(limit() / 4);
    program.signal(Signal::TSTP);
    program.until_stopped(pid);
    program.until_stopped(leader);
    let from = program.now();
    program.wait(limit());
    assert_eq!(process_state(leader), 'T');
    let stood = program.now() - from;
    program.signal(Signal::CONT);
    let end = program.end().expect_err("it dies by the signal");
    assert_eq!(end.signal(), Some(Signal::TERM), "{}", program.said());
    assert!(program.now() - begun >= limit() + stood, "{}", program.said());
    assert!(!is_running(leader));
}
