//! A process for one test: the test binary runs itself again with that test alone.
//!
//! In there the body is the only thread, so it may count descriptors and children and measure
//! memory.

use std::process::{Command, Stdio};

use super::sanitizer::without_leak_check;

/// Set in the process of its own; holds the name of the test.
const VARIABLE: &str = "PROCESSION_TEST_ISOLATED";

/// Returns whether this is the process of its own of that test.
pub(crate) fn is_isolated(name: &str) -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == name)
}

/// Has the test binary that `command` runs be the process of its own of that test.
pub(crate) fn alone(
    command: procession_process_transport::Command,
    name: &str,
) -> procession_process_transport::Command {
    command.env(VARIABLE, name)
}

/// Runs `body` alone in a process of its own. `name` is the function's name.
pub(crate) fn isolated(name: &str, body: impl FnOnce()) {
    run(name, body, |_| ());
}

/// The same, without a check for leaks where a sanitizer would make one: in a forked copy that exits
/// nobody owns what the other threads of its parent hold.
pub(crate) fn isolated_without_leak_check(name: &str, body: impl FnOnce()) {
    run(name, body, |command| {
        without_leak_check(command);
    });
}

fn run(name: &str, body: impl FnOnce(), prepare: impl FnOnce(&mut Command)) {
    if is_isolated(name) {
        return body();
    }
    super::bound::announce();
    let this = std::env::current_exe().expect("the path of this test binary");
    let mut command = Command::new(this);
    prepare(&mut command);
    let output = command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, name)
        .stdin(Stdio::null())
        .output()
        .expect("this test binary runs again");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{name}, alone in its process: {}\n--- stdout\n{stdout}\n--- stderr\n{stderr}",
        output.status,
    );
    assert!(stdout.contains("1 passed"), "`{name}` is not the name of this test:\n{stdout}");
}
