//! No process of a helper's group outlives a program that a terminal ends: by its keys, by closing,
//! or, as shells do it, by both at once.
#![cfg(feature = "reactor")]

mod on_terminal;

use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::on_terminal::{
    CTRL_BACKSLASH, CTRL_C, CTRL_Z, GRACE, OnTerminal, bound, ms, process_state, skip_here,
};

/// Every process of the group ends by TERM.
const PLAIN: &str = "sleep 600 & echo member=$! >&3; echo leader=$$ >&3; sleep 600";

/// No process of the group ends by TERM.
const DEAF: &str = "trap '' TERM; sh -c 'echo member=$$ >&3; exec sleep 600' & \
                    echo leader=$$ >&3; wait";

/// The leader ends by TERM, and a member does not.
const DEAF_MEMBER: &str = "sh -c 'trap \"\" TERM; echo member=$$ >&3; exec sleep 600' & \
                           echo leader=$$ >&3; wait";

/// It needs a second after TERM. stderr is closed because the shell would report the end of its
/// `sleep` there.
const CAREFUL: &str = "exec 2>/dev/null; trap 'sleep 1; echo careful to the end >&3; exit' TERM; \
                       echo member=none >&3; echo leader=$$ >&3; while :; do sleep 0.01; done";

/// It ends when it reads a word, and reports that.
const READER: &str = "echo member=none >&3; echo leader=$$ >&3; read word <&4; echo told >&3";

/// It writes a lot when it reads a word.
const WRITER: &str = "echo member=none >&3; echo leader=$$ >&3; read word <&4; seq 100000";

/// The programs, which wait in the loop. A run takes the first signal as its stop. Outside a run
/// the signal has its default action.
const WAITING: [&str; 2] = ["block_on", "run_main"];

fn start(program: &str, script: &str, grace: u32) -> OnTerminal {
    let mut started = OnTerminal::start_with(&[], program, script, |command| {
        command.env(GRACE, grace.to_string())
    });
    started.until_ready();
    if program.ends_with("blocked") {
        started.until_said("blocked");
    }
    started
}

/// Types the key, and asserts that the program died by `signal`. Returns how long it took until no
/// process was alive.
#[track_caller]
fn ended_by_key(mut started: OnTerminal, key: &str, signal: Signal) -> Duration {
    let since = started.now();
    started.types(key);
    started.dies_by(signal, since)
}

/// Case TE-01.
#[test]
fn ctrl_c_ends_the_whole_group_and_then_the_program() {
    for program in ["block_on", "block_on, blocked", "run_main"] {
        let took = ended_by_key(start(program, PLAIN, 2000), CTRL_C, Signal::INT);
        assert!(took < bound(ms(1000)), "{program}: {took:?}");
    }
}

/// A run does not claim SIGQUIT, so that a user can end a loop that hangs.
///
/// Case TE-01.
#[test]
fn ctrl_backslash_ends_the_whole_group_and_then_the_program() {
    for program in ["block_on", "block_on, blocked", "run_main", "run_main, blocked"] {
        let took = ended_by_key(start(program, PLAIN, 2000), CTRL_BACKSLASH, Signal::QUIT);
        assert!(took < bound(ms(1000)), "{program}: {took:?}");
    }
}

/// The first process of a container does not die by a signal. Its exit status gives the signal.
///
/// Case TE-11.
#[test]
fn in_pid_1_ctrl_c_ends_the_whole_group_and_gives_the_status() {
    if !rustix::process::geteuid().is_root() {
        return skip_here("PID 1 on a terminal", "needs root");
    }
    let script = "exec unshare --pid --fork --mount-proc --kill-child \"$PROGRAM\"";
    for program in ["run_main", "run_main, blocked"] {
        let mut started = OnTerminal::start_by(&["sh", "-c", script], program, PLAIN);
        assert_eq!(started.until_ready().as_raw_nonzero().get(), 1);
        if program.ends_with("blocked") {
            // The default action does nothing for this process.
            started.until_said("blocked");
            started.types(CTRL_C);
            started.wait(ms(350));
            started.types(CTRL_C);
            started.wait(ms(100));
            started.signal(Signal::KILL);
            started.until_nobody_lives();
            assert_eq!(started.leader_died_by(), Some(Signal::KILL.as_raw()));
            continue;
        }
        let since = started.now();
        started.types(CTRL_C);
        let took = started.exits_with(128 + Signal::INT.as_raw(), since);
        assert!(took < bound(ms(1000)), "{program}: {took:?}");
    }
}

/// Types Ctrl-C twice. Returns how long after the first and after the second the program had ended.
fn two_ctrl_c(program: &str, apart: Duration) -> (Duration, Duration) {
    let mut started = start(program, DEAF, 2000);
    let first = started.now();
    started.types(CTRL_C);
    started.wait(apart);
    let between = started.now() - first;
    let took = ended_by_key(started, CTRL_C, Signal::INT);
    (between + took, took)
}

/// The group has its two seconds.
///
/// Case TE-02.
#[test]
fn a_second_ctrl_c_within_300_ms_is_an_echo() {
    for program in ["block_on", "block_on, blocked"] {
        let (took, _) = two_ctrl_c(program, ms(100));
        assert!((ms(1900)..bound(ms(3000))).contains(&took), "{program}: {took:?}");
    }
}

/// Case TE-02.
#[test]
fn a_second_ctrl_c_after_a_second_ends_the_wait() {
    for program in ["block_on", "block_on, blocked", "run_main"] {
        let (took, after_the_second) = two_ctrl_c(program, ms(1000));
        assert!(took >= ms(1000), "{program}: {took:?}");
        assert!(after_the_second < bound(ms(500)), "{program}: {after_the_second:?}");
    }
}

/// The loop cannot handle the first signal: the second one acts as it would without a run.
///
/// Case TE-02.
#[test]
fn a_second_ctrl_c_ends_a_run_whose_callback_never_returns() {
    let mut started = start("run_main, blocked", PLAIN, 2000);
    started.types(CTRL_C);
    started.wait(ms(100));
    // A repetition of the first signal.
    started.types(CTRL_C);
    started.wait(ms(250));
    let took = ended_by_key(started, CTRL_C, Signal::INT);
    assert!(took < bound(ms(1000)), "{took:?}");
}

/// A stop signals only the groups that end with the program. Other children have not got a TERM
/// yet.
///
/// Case TE-02.
#[test]
fn a_child_that_a_stopped_run_has_left_has_its_grace() {
    let mut started = start("left by a run", CAREFUL, 2000);
    started.until_said("running");
    started.types(CTRL_C);
    started.until_said("stopped by SIGINT");
    started.wait(ms(350));
    let since = started.now();
    started.types(CTRL_C);
    started.until_said("careful to the end");
    let took = started.dies_by(Signal::INT, since);
    assert!((ms(1000)..bound(ms(2000))).contains(&took), "{took:?}");
}

/// It is killed at once if the leader has ended, and after the grace if the run waits for the end
/// of the group.
///
/// Case TE-03.
#[test]
fn a_member_that_ignores_term_is_killed() {
    for (program, at_least) in [("block_on", 0), ("block_on, blocked", 0), ("run_main", 300)] {
        let took = ended_by_key(start(program, DEAF_MEMBER, 300), CTRL_C, Signal::INT);
        assert!((ms(at_least)..bound(ms(1500))).contains(&took), "{program}: {took:?}");
    }
}

/// The program leads the session. It gets one SIGHUP and no other signal.
///
/// Case TE-04.
#[test]
fn a_terminal_that_goes_away_ends_the_whole_group_and_then_the_program() {
    for program in ["block_on", "block_on, blocked", "run_main"] {
        let mut started = start(program, PLAIN, 2000);
        let since = started.now();
        started.hang_up();
        let took = started.dies_by(Signal::HUP, since);
        assert!(took < bound(ms(1000)), "{program}: {took:?}");
    }
}

/// The shell sends SIGHUP to its job, and the kernel sends another one when the shell has ended.
///
/// Case TE-04.
#[test]
fn a_terminal_closed_under_a_shell_leaves_a_service_its_second() {
    for program in ["block_on", "block_on, blocked", "run_main"] {
        let Some((mut started, job)) = job_of("bash", program, CAREFUL) else { continue };
        let since = started.now();
        started.hang_up();
        assert_eq!(
            started.orphan_died_by(job),
            Some(Signal::HUP.as_raw()),
            "{program}:\n{started}"
        );
        started.until_nobody_lives();
        let took = started.now() - since;
        assert!(started.said().contains("careful to the end\n"), "{program}:\n{started}");
        assert!((ms(1000)..bound(ms(2000))).contains(&took), "{program}: {took:?}");
    }
}

/// Starts the program, with its child, as a foreground job of an interactive shell. Returns its pid
/// too.
fn job_of(shell: &str, program: &str, script: &str) -> Option<(OnTerminal, rustix::process::Pid)> {
    let command = match shell {
        "bash" => vec!["bash", "--norc", "--noprofile", "-i"],
        shell => vec![shell, "-i"],
    };
    if std::process::Command::new(shell).args(["-c", ":"]).status().is_err() {
        skip_here(&format!("a job of {shell}"), "it is not installed");
        return None;
    }
    let mut started = OnTerminal::start_with(&command, program, script, |command| {
        command.env("HISTFILE", "/dev/null").env_remove("ENV")
    });
    started.types("\"$PROGRAM\"\n");
    let job = started.until_ready();
    if program.ends_with("blocked") {
        started.until_said("blocked");
    }
    Some((started, job))
}

/// Case TE-05.
#[test]
fn a_program_under_nohup_outlives_its_terminal() {
    for program in WAITING {
        let script = "exec nohup \"$PROGRAM\" </dev/null >/dev/null 2>&1";
        let mut started = OnTerminal::start_by(&["sh", "-c", script], program, READER);
        started.until_ready();
        let since = started.now();
        started.hang_up();
        // The signal was sent before that returned.
        started.tell("go on");
        started.until_said("told");
        started.until_said("outcome=Some(0)");
        assert_eq!(started.end(since).0, None, "{program}: it ends by itself");
    }
}

/// Neither the keys nor the closing of the terminal reach it.
///
/// Case TE-05.
#[test]
fn a_program_in_a_session_of_its_own_outlives_the_terminal_and_ends_by_term() {
    for program in WAITING {
        let script = "setsid \"$PROGRAM\" & wait";
        let mut started = OnTerminal::start_by(&["sh", "-c", script], program, PLAIN);
        let daemon = started.until_ready();
        started.types(CTRL_C);
        assert_eq!(started.leader_died_by(), Some(Signal::INT.as_raw()), "{program}: the shell");
        started.hang_up();
        let lives = |pid| !['Z', 'X'].contains(&process_state(pid));
        assert!(lives(daemon.as_raw_nonzero().get().cast_unsigned()), "{program}:\n{started}");
        kill_process(daemon, Signal::TERM).expect("it lives");
        assert_eq!(
            started.orphan_died_by(daemon),
            Some(Signal::TERM.as_raw()),
            "{program}:\n{started}"
        );
        started.until_nobody_lives();
    }
}

/// SIGKILL leaves the program no time. The kernel kills the direct child, which another test
/// covers. It does nothing to the processes that the child has started.
///
/// Case TE-06.
#[test]
fn a_killed_program_leaves_what_its_child_has_started() {
    // The member has a session of its own, so no signal reaches it.
    let script = "setsid sh -c 'echo member=$$ >&3; read word <&4; echo still here >&3' & \
                  echo leader=$$ >&3; read word <&4";
    for program in WAITING {
        let mut started = OnTerminal::start(program, script);
        started.until_ready();
        let leader = started.number("leader");
        started.signal(Signal::KILL);
        assert_eq!(started.leader_died_by(), Some(Signal::KILL.as_raw()), "{program}");
        kill_process(leader, Signal::KILL).ok(); // it is still alive
        assert_eq!(started.orphan_died_by(leader), Some(Signal::KILL.as_raw()), "{program}");
        started.tell("end");
        started.until_said("still here");
        started.until_nobody_lives();
    }
}

/// The daemon belongs to no run any more: its `Run` has ended.
///
/// Case TE-07.
#[test]
fn a_daemon_left_by_a_run_is_not_hit_by_a_later_ctrl_c() {
    for program in ["after another", "after another, run_main"] {
        let mut started = start(program, PLAIN, 2000);
        started.until_said("left=Some(0)");
        started.types(CTRL_C);
        assert_eq!(started.leader_died_by(), Some(Signal::INT.as_raw()), "{program}");
        started.tell("end");
        started.until_said("daemon still here");
        started.until_nobody_lives();
    }
}

/// Types Ctrl-Z and `fg` in a shell with job control.
///
/// Case TE-08.
#[test]
fn a_program_that_stops_and_goes_on_loses_nothing_of_its_child() {
    for (shell, program) in
        ["bash", "sh"].into_iter().flat_map(|shell| WAITING.map(|program| (shell, program)))
    {
        let Some((mut started, job)) = job_of(shell, program, WRITER) else { continue };
        started.types(CTRL_Z);
        started.until_stopped(job);
        // The shell has the terminal again.
        started.types("echo a prom''pt\n");
        started.until_shown("a prompt");
        started.tell("write");
        started.types("fg\n");
        let outcome = started.until_said("outcome=");
        assert_eq!(outcome, "Some(0) 100000 lines whole", "{shell}, {program}:\n{started}");
        started.types("exit\n");
        started.until_nobody_lives();
    }
}
