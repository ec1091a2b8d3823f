//! Tests of the example `supervisor`: what it keeps running, and that it leaves nothing when it
//! stops.

mod util;

use std::path::PathBuf;

use rustix::process::Signal;
use tempfile::TempDir;
use util::{Server, example, run, runs, until};

/// Starts a supervisor of this file. Returns it, and the file's directory.
fn supervising(text: &str) -> (Server, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = file(&dir, text);
    (Server::start("supervisor", &[file.to_str().expect("its name is UTF-8")]), dir)
}

fn file(dir: &TempDir, text: &str) -> PathBuf {
    let file = dir.path().join("commands");
    std::fs::write(&file, text).expect("the directory takes a file");
    file
}

/// Returns the pid of a line `name * started as PID`.
fn started(server: &Server, name: &str) -> u32 {
    let before = format!("{name} * started as ");
    let line = server.line_like(|line| line.starts_with(&before));
    line[before.len()..].parse().expect("a pid")
}

#[test]
fn each_line_has_the_name_of_its_command_in_true_order() {
    let (server, _dir) = supervising(
        "# two commands\n\na: echo one; echo two >&2; printf three; exec sleep 60\nb: echo four",
    );
    let mut lines: Vec<String> = Vec::new();
    while lines.iter().filter(|line| line.contains(" | ")).count() < 3 {
        lines.push(server.line());
    }
    let of_a: Vec<_> = lines.iter().filter(|line| line.starts_with("a | ")).collect();
    assert_eq!(of_a, ["a | one", "a | two"]);
    let rest = server.stop();
    assert!(rest.iter().any(|line| line == "a | three"), "the last line is not lost: {rest:?}");
}

#[test]
fn what_ends_is_started_again_after_pauses_that_double() {
    let (server, _dir) = supervising("flaky: exit 3");
    let ended = |pause: &str| {
        let line = server.line_like(|line| line.contains("exited"));
        assert!(line.starts_with("flaky * exited with status 3 after 0."), "{line}");
        assert!(line.ends_with(&format!("; again in {pause} s")), "{line}");
    };
    let first = started(&server, "flaky");
    ended("0.1");
    let second = started(&server, "flaky");
    ended("0.2");
    started(&server, "flaky");
    ended("0.4");
    assert_ne!(first, second);
    server.stop();
}

#[test]
fn a_death_by_signal_is_named() {
    let (server, _dir) = supervising("suicide: kill -9 $$");
    let line = server.line_like(|line| line.contains("ended"));
    assert!(line.starts_with("suicide * ended by signal 9 after"), "{line}");
    server.stop();
}

#[test]
fn sigterm_lets_each_command_end_in_its_own_way() {
    let (server, _dir) = supervising(
        "careful: trap 'echo tidying; exit 7' TERM; echo ready; while :; do sleep 0.01; done\n\
         plain: echo ready; exec sleep 60",
    );
    let pids = [started(&server, "careful"), started(&server, "plain")];
    for _ in 0..2 {
        server.line_like(|line| line.ends_with("| ready"));
    }
    server.signal(Signal::TERM);
    let (signal, lines) = server.end();
    assert_eq!(signal, Some(Signal::TERM.as_raw()));
    assert!(lines.iter().any(|line| line == "careful | tidying"), "{lines:?}");
    let careful = |line: &&String| line.starts_with("careful * exited with status 7 after");
    assert_eq!(lines.iter().filter(careful).count(), 1, "{lines:?}");
    let plain = |line: &&String| line.starts_with("plain * ended by signal 15 after");
    assert_eq!(lines.iter().filter(plain).count(), 1, "{lines:?}");
    assert_eq!(lines.last().unwrap(), "supervisor * stopped by SIGTERM");
    assert!(pids.iter().all(|pid| !runs(*pid)), "all have ended before it ends");
}

/// When a terminal is closed, the shell and the kernel send one SIGHUP each.
#[test]
fn hang_ups_and_an_interrupt_stop_it_like_sigterm() {
    for (signals, name) in [(&[Signal::HUP, Signal::HUP][..], "HUP"), (&[Signal::INT], "INT")] {
        let (server, _dir) = supervising(
            "slow: trap 'sleep 0.3; echo tidying; exit 7' TERM; echo ready; while :; do sleep 0.01; done",
        );
        let pid = started(&server, "slow");
        server.line_like(|line| line.ends_with("| ready"));
        for signal in signals {
            server.signal(*signal);
        }
        let (signal, lines) = server.end();
        assert_eq!(signal, Some(signals[0].as_raw()));
        assert!(lines.iter().any(|line| line == "slow | tidying"), "{lines:?}");
        assert_eq!(lines.last(), Some(&format!("supervisor * stopped by SIG{name}")));
        assert!(!runs(pid));
    }
}

#[test]
fn a_whole_group_ends_with_its_command() {
    let (server, _dir) = supervising("group: sleep 1000 & echo child $!; wait");
    let before = "group | child ";
    let line = server.line_like(|line| line.starts_with(before));
    let child: u32 = line[before.len()..].parse().unwrap();
    assert!(runs(child));
    server.stop();
    until("the child of the command is gone", || !runs(child));
}

#[test]
fn what_is_pausing_is_not_started_any_more() {
    let (server, _dir) = supervising("gone: exit 0");
    server.line_like(|line| line.contains("again in 0.4 s"));
    assert_eq!(server.stop(), ["supervisor * stopped by SIGTERM"]);
}

#[test]
fn it_stops_by_itself_after_its_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(&dir, "sleeper: echo up; sleep 60");
    let ended = run(example("supervisor").arg(file).arg("0.3"));
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    assert!(ended.stdout.contains("sleeper | up\n"), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("supervisor * stopped\n"), "{}", ended.stdout);
}

#[test]
fn a_line_that_is_no_command_is_one_line_and_status_1() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(example("supervisor").arg(file(&dir, "a: true\nnonsense\n")));
    assert_eq!((ended.status, ended.stderr.lines().count()), (1, 1), "{}", ended.stderr);
    assert!(ended.stderr.contains("line 2 is no `name: command`"), "{}", ended.stderr);
}

#[test]
fn a_missing_file_is_one_line_and_status_1() {
    let ended = run(example("supervisor").arg("there/is/no/such/file"));
    assert_eq!((ended.status, ended.stderr.lines().count()), (1, 1), "{}", ended.stderr);
}
