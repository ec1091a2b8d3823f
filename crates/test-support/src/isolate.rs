//! A process for one test: the test binary runs itself again with that test alone.
//!
//! In there no other thread does anything (the harness's waits for the body), so that it may count
//! descriptors and change signals, limits, ids, descriptors 0 to 2 and the current directory. A
//! watchdog (SIGALRM) ends a process that hangs.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command as StdCommand;
use std::process::Stdio;
use std::time::Duration;

use crate::{announce, bound, forward, skip, sys, without_leak_check};

/// Set in the process of its own; holds the name of the test.
pub const VARIABLE: &str = "PROCESSION_TEST_ISOLATED";

/// After this long, or its [`bound()`], the process of a test is ended by SIGALRM; a test of the slow tier
/// sets another time by [`sys::alarm`].
const WATCHDOG: Duration = Duration::from_secs(60);

/// Returns whether this is the process of its own of that test.
#[must_use]
pub fn is_isolated(name: &str) -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == name)
}

/// Runs `body` alone in a process of its own, which is this test binary with the test `name`.
///
/// What the process printed is shown if it failed. `name` is the function's name.
pub fn isolated(name: &str, body: impl FnOnce()) {
    run(name, body, StdCommand::new(this_binary()));
}

/// Does the same, but a sanitizer does not check for leaks. In a forked copy that exits, nothing owns the
/// memory of the parent's other threads; and the check needs /proc.
pub fn isolated_without_leak_check(name: &str, body: impl FnOnce()) {
    let mut again = StdCommand::new(this_binary());
    without_leak_check(&mut again);
    run(name, body, again);
}

/// The same, as the first process of a PID namespace with a /proc of its own; it takes root.
///
/// SIGALRM does not end such a process, so another program is its watchdog. A sanitizer checks no leaks in
/// it, because its tests fork.
pub fn isolated_as_pid_1(name: &str, body: impl FnOnce()) {
    let unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let is_inside = std::env::var_os(VARIABLE).is_some();
    let can = || StdCommand::new(unshare[0]).args(&unshare[1..]).arg("true").output();
    if !is_inside && !can().is_ok_and(|output| output.status.success()) {
        return skip(name, "it takes unshare, and root");
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
        sys::alarm(bound(WATCHDOG));
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
