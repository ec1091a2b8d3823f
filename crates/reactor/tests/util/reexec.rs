//! Runs a test in a process of its own: the test binary executes itself.

use std::env;
use std::process::{Command, Output};

const VARIABLE: &str = "PROCESSION_REACTOR_TEST";

/// Runs `child` in a new process of this binary and returns its output. In the new process, returns
/// `None`.
pub(crate) fn reexec(test: &str, child: impl FnOnce()) -> Option<Output> {
    if env::var(VARIABLE).as_deref() == Ok(test) {
        procession_test_support::sys::default_ending_signals();
        child();
        return None;
    }
    let binary = env::current_exe().expect("a test knows its binary");
    let output = Command::new(binary)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, test)
        .output()
        .expect("the binary runs again");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("running 1 test"), "{test:?} is the name of the test");
    Some(output)
}
