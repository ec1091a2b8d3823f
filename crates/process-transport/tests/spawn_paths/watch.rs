//! A test that runs under another program, which watches its system calls or its memory.

use std::process::{Command, Output};

use crate::util::{PROBE, skip, without_leak_check};

/// Set in the process that is watched.
const VARIABLE: &str = "PROCESSION_TEST_WATCHED";

/// Returns whether this is the watched process.
pub(crate) fn is_watched() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Runs the test `name` of this binary under `watcher`. Returns `None`, with a notice, if the
/// watcher is not installed.
pub(crate) fn watched(name: &str, watcher: &[&str]) -> Option<Output> {
    let [program, options @ ..] = watcher else { panic!("a watcher has a name") };
    // The probe is for the processor that this binary is for.
    let works = Command::new(program).args(options).args([PROBE, "exit", "0"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        skip(name, &format!("{program} is missing, or does not run the probe"));
        return None;
    }
    let this = std::env::current_exe().expect("the path of this test binary");
    let mut command = Command::new(program);
    command.args(options).arg(this).args([name, "--exact", "--nocapture", "--test-threads=1"]);
    without_leak_check(&mut command);
    Some(command.env(VARIABLE, "1").output().expect("it ran just now"))
}
