//! What Twisted's tests of its process monitor ask for and no other test here does. PROCMON-TESTS.md has
//! the whole list.
#![cfg(feature = "reactor")]

mod util;

use std::time::Duration;

use procession_process_transport::Command;
use procession_utils::{Monitor, MonitorChange, Policy, ProgramState, Stream};
use rustix::process::{Pid, Signal, kill_process};
use util::watched::{is, quick, start, stop, until, until_event};
use util::{WATCHDOG, behaviour, children, ms, sh};

const HOUR: Duration = Duration::from_secs(3600);

/// Case MO-25.
#[test]
fn nothing_starts_before_the_start() {
    behaviour("nothing_starts_before_the_start", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let touch = |name: &str| Command::new("touch").arg(name).current_dir(dir.path());
        let monitor = Monitor::new().add("a", touch("a"), quick(Policy::never())).add(
            "b",
            touch("b"),
            quick(Policy::never()),
        );
        driver.reactor.turn(Some(Duration::ZERO)).unwrap();
        drop(monitor.clone());
        driver.reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(children().is_empty() && std::fs::read_dir(dir.path()).unwrap().next().is_none());
        let (running, mut events) = start(driver, monitor);
        assert!(children().is_empty(), "they start in the next turn");
        driver.get(running.ended()).expect("both succeed");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
        stop(driver, &running, &mut events);
    });
}

/// Case MO-26.
#[test]
fn a_program_that_a_reload_adds_has_its_environment_and_directory() {
    behaviour("a_program_that_a_reload_adds_has_its_environment_and_directory", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let one = || Monitor::new().add("a", sh("exec sleep 60"), quick(Policy::always()));
        let (running, mut events) = start(driver, one());
        until(driver, &mut events, "a", "started");
        let program = sh("echo \"$KEY in $(pwd)\"").env("KEY", "value").current_dir(&path);
        running.reload(one().add("added", program, quick(Policy::never()))).unwrap();
        let told = until(driver, &mut events, "added", "value");
        assert_eq!(told, format!("added: value in {}", path.display()));
        stop(driver, &running, &mut events);
    });
}

/// Case MO-27.
#[test]
fn a_restart_of_a_program_that_ignores_the_signal_kills_it_and_starts_it_again() {
    let name = "a_restart_of_a_program_that_ignores_the_signal_kills_it_and_starts_it_again";
    behaviour(name, |driver| {
        let policy = quick(Policy::always()).stop_grace(ms(300));
        let program = sh("trap '' TERM; echo up; while :; do sleep 0.01; done");
        let (running, mut events) = start(driver, Monitor::new().add("deaf", program, policy));
        until(driver, &mut events, "deaf", "up");
        let asked = driver.reactor.now();
        running.restart("deaf").unwrap();
        until(driver, &mut events, "deaf", "ended by signal 9 (SIGKILL)");
        assert!(driver.reactor.now() - asked >= ms(300), "it had its grace");
        let seen = until_event(driver, &mut events, |event| is(event, "deaf", "up"));
        assert!(!seen.iter().any(|event| is(event, "deaf", "starts again")), "without a pause");
        assert_eq!(running.table().rows[0].restarts, 1);
        stop(driver, &running, &mut events);
    });
}

/// Case MO-28.
#[test]
fn a_stop_that_is_over_kills_no_later_run() {
    behaviour("a_stop_that_is_over_kills_no_later_run", |driver| {
        let policy = quick(Policy::always()).stop_grace(ms(200));
        let monitor = Monitor::new().add("a", sh("exec sleep 60"), policy);
        let (running, mut events) = start(driver, monitor);
        until(driver, &mut events, "a", "started");
        running.restart("a").unwrap();
        until(driver, &mut events, "a", "started");
        let pid = running.table().rows[0].pid;
        let end = driver.reactor.now() + ms(500);
        driver.until("the grace of the first run is long over", WATCHDOG, |driver| {
            driver.reactor.now() >= end
        });
        let row = running.table().rows.remove(0);
        assert_eq!((row.pid, row.state, row.restarts), (pid, ProgramState::Running, 1));
        stop(driver, &running, &mut events);
    });
}

/// Case MO-29.
#[test]
fn a_stop_of_a_program_that_pauses_cancels_its_restart_and_is_no_error_twice() {
    let name = "a_stop_of_a_program_that_pauses_cancels_its_restart_and_is_no_error_twice";
    behaviour(name, |driver| {
        let policy = Policy::always().backoff(ms(300), ms(300));
        let monitor = Monitor::new().add("a", "true", policy);
        let (running, mut events) = start(driver, monitor);
        until(driver, &mut events, "a", "starts again");
        running.stop("a").unwrap();
        running.stop("a").unwrap();
        until(driver, &mut events, "a", "stopped");
        running.stop("a").unwrap();
        let end = driver.reactor.now() + ms(600);
        driver.until("the pause is long over", WATCHDOG, |driver| driver.reactor.now() >= end);
        let row = running.table().rows.remove(0);
        assert_eq!((row.state, row.restarts), (ProgramState::Stopped, 0));
        running.start("a").unwrap();
        until(driver, &mut events, "a", "started");
        stop(driver, &running, &mut events);
    });
}

/// Case MO-30.
#[test]
fn a_stop_of_everything_cancels_the_restarts_that_are_due() {
    behaviour("a_stop_of_everything_cancels_the_restarts_that_are_due", |driver| {
        let policy = || Policy::always().backoff(HOUR, HOUR);
        let missing = Command::new("/no/such/program");
        let monitor =
            Monitor::new().add("short", "true", policy()).add("missing", missing, policy());
        let (running, mut events) = start(driver, monitor);
        let pauses = |row: &procession_utils::ProgramRow| row.state == ProgramState::Pausing;
        driver.until("both pause", WATCHDOG, |_| running.table().rows.iter().all(pauses));
        let told = stop(driver, &running, &mut events);
        assert!(told.ends_with(&["short: stopped".to_owned(), "missing: stopped".to_owned()]));
        assert!(running.table().rows.iter().all(|row| row.state == ProgramState::Stopped));
    });
}

/// Case MO-31.
#[test]
fn a_line_has_its_program_its_stream_and_its_bytes() {
    behaviour("a_line_has_its_program_its_stream_and_its_bytes", |driver| {
        let monitor = Monitor::new()
            .add("out", sh("echo hello world!; printf '\\377!\\n'"), Policy::never())
            .add("err", sh("echo hello world! >&2"), Policy::never());
        let (running, mut events) = start(driver, monitor);
        driver.get(running.ended()).unwrap();
        let mut lines = Vec::new();
        while let Some(event) = events.try_next() {
            if let MonitorChange::Line(line) = &event.change {
                let shown = event.change.to_string();
                lines.push((event.program.to_string(), line.stream, line.to_vec(), shown));
            }
        }
        lines.sort_by(|one, other| other.0.cmp(&one.0));
        let line = |program: &str, stream, bytes: &[u8], shown: &str| {
            (program.to_owned(), stream, bytes.to_vec(), shown.to_owned())
        };
        let expected = [
            line("out", Stream::Stdout, b"hello world!", "hello world!"),
            line("out", Stream::Stdout, b"\xff!", "\u{fffd}!"),
            line("err", Stream::Stderr, b"hello world!", "hello world!"),
        ];
        assert_eq!(lines, expected);
        drop(running);
    });
}

/// Case MO-32.
#[test]
fn a_partial_line_comes_when_its_output_ends() {
    behaviour("a_partial_line_comes_when_its_output_ends", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let script = "printf part; echo whole >&2; while ! test -e go; do sleep 0.01; done";
        let program = sh(script).current_dir(dir.path());
        let monitor = Monitor::new().add("a", program, Policy::never());
        let (running, mut events) = start(driver, monitor);
        let seen = until_event(driver, &mut events, |event| is(event, "a", "whole"));
        for _ in 0..3 {
            driver.reactor.turn(Some(ms(10))).unwrap();
        }
        assert!(events.try_next().is_none() && !seen.iter().any(|event| is(event, "a", "part")));
        std::fs::write(dir.path().join("go"), "").unwrap();
        driver.get(running.ended()).unwrap();
        let told = stop(driver, &running, &mut events);
        assert_eq!(told.iter().filter(|told| *told == "a: part").count(), 1, "{told:?}");
    });
}

/// Case MO-33.
#[test]
fn a_program_that_was_killed_has_no_process_until_it_starts_again() {
    behaviour("a_program_that_was_killed_has_no_process_until_it_starts_again", |driver| {
        let policy = Policy::always().backoff(ms(300), ms(300));
        let monitor = Monitor::new().add("a", sh("exec sleep 60"), policy);
        let (running, mut events) = start(driver, monitor);
        until(driver, &mut events, "a", "started");
        let pid = || running.table().rows[0].pid;
        let old = pid().expect("it runs");
        let number = Pid::from_raw(i32::try_from(old).unwrap()).unwrap();
        kill_process(number, Signal::KILL).unwrap();
        until(driver, &mut events, "a", "ended by signal 9 (SIGKILL)");
        let row = running.table().rows.remove(0);
        assert_eq!((row.pid, row.state), (None, ProgramState::Pausing));
        assert!(row.note.starts_with("ended by signal 9 (SIGKILL) after 0."), "{}", row.note);
        until(driver, &mut events, "a", "started");
        assert!(pid().is_some_and(|new| new != old));
        stop(driver, &running, &mut events);
    });
}

#[test]
fn the_debug_text_of_a_monitor_has_names_and_commands_and_nothing_that_was_not_said() {
    let command = Command::new("arg1").arg("arg2").env("KEY", "secret");
    let text = format!("{:?}", Monitor::new().add("foo", command, Policy::always()));
    assert!(text.contains("\"foo\"") && text.contains("command: \"arg1\" \"arg2\","), "{text}");
    assert!(!text.contains("uid") && !text.contains("secret"), "{text}");
}
