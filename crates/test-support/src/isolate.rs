//! Runs one test in a process of its own: the test binary runs itself again with that test alone.
//!
//! No other thread does anything in that process: the harness's thread only waits for the body. So
//! the test may count descriptors and change signals, limits, ids, descriptors 0 to 2 and the
//! current directory. A watchdog (SIGALRM) ends a process that hangs.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command as StdCommand;
use std::process::Stdio;
use std::time::Duration;

use crate::{announce, bound, forward, skip_here, sys, without_leak_check};

/// The variable that is set in the test's own process, to the name of the test.
pub const VARIABLE: &str = "PROCESSION_TEST_ISOLATED";

/// The time after which SIGALRM ends the process of a test; [`bound()`] of this on a slow machine.
/// A test of the slow tier sets another time with [`sys::alarm`].
const WATCHDOG: Duration = Duration::from_secs(60);

/// Returns whether this process is the own process of the test `name`.
#[must_use]
pub fn is_isolated(name: &str) -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == name)
}

/// Runs `body` alone in a process of its own, which is this test binary with the test `name`.
///
/// `name` is the name of the test function. If the process fails, its output is shown.
pub fn isolated(name: &str, body: impl FnOnce()) {
    run(name, body, StdCommand::new(this_binary()));
}

/// Does the same as [`isolated`] once for each value of a variable, each in a process of its own that
/// has the variable. `body` gets the value.
pub fn isolated_for_each(name: &str, variable: &str, values: &[&str], body: impl Fn(&str)) {
    for value in values {
        let mut again = StdCommand::new(this_binary());
        again.env(variable, value);
        let body = || {
            if std::env::var_os(variable).is_some_and(|now| now == *value) {
                body(value);
            }
        };
        run(name, body, again);
    }
}

/// Does the same as [`isolated`], without a sanitizer's check for leaks.
///
/// When a forked copy exits, nothing owns the memory of the parent's other threads, so the check
/// would report it. The check also needs /proc.
pub fn isolated_without_leak_check(name: &str, body: impl FnOnce()) {
    let mut again = StdCommand::new(this_binary());
    without_leak_check(&mut again);
    run(name, body, again);
}

/// Does the same as [`isolated`], as the first process of a PID namespace with its own /proc. This
/// needs root.
///
/// SIGALRM does not end such a process, so another program is the watchdog. A sanitizer does not
/// check for leaks there, because these tests fork.
pub fn isolated_as_pid_1(name: &str, body: impl FnOnce()) {
    let unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let is_inside = std::env::var_os(VARIABLE).is_some();
    let can = || StdCommand::new(unshare[0]).args(&unshare[1..]).arg("true").output();
    if !is_inside && !can().is_ok_and(|output| output.status.success()) {
        return skip_here(name, "it takes unshare, and root");
    }
    let mut watched = StdCommand::new("timeout");
    watched.args(["--signal=KILL", &bound(WATCHDOG).as_secs().to_string()]).args(unshare);
    watched.arg(this_binary());
    without_leak_check(&mut watched);
    run(name, body, watched);
}

fn this_binary() -> PathBuf {
    std::env::current_exe().expect("the path of this test binary")
}

fn run(name: &str, body: impl FnOnce(), mut again: StdCommand) {
    if is_isolated(name) {
        sys::alarm(WATCHDOG);
        sys::default_ending_signals();
        body();
        return;
    }
    announce();
    let output = again
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, name)
        .stdin(Stdio::null())
        .output()
        .expect("this test binary runs again");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    forward(&stderr);
    let hung = output.status.signal() == Some(libc::SIGALRM);
    assert!(
        output.status.success(),
        "{name}, alone in its process: {}{}\n--- stdout\n{stdout}\n--- stderr\n{stderr}",
        output.status,
        if hung { ": it hung" } else { "" },
    );
    assert!(
        stdout.contains("1 passed"),
        "`{name}` is not the name of this test, so that nothing ran:\n{stdout}",
    );
}
