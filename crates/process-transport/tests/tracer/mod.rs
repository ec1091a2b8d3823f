//! Runs the test binary again as a process that traces another one, so that the parent of the
//! traced process cannot reap it.

mod sys;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Holds the pid of the process to trace. Set only in the tracer.
const ROLE: &str = "PROCESSION_TEST_TRACES";

/// Runs the test `name` again. It traces `pid` until [`let_go`] is called.
pub(crate) fn tracer_of(name: &str, pid: u32) -> Child {
    let mut tracer = Command::new(std::env::current_exe().expect("this test binary"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, pid.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs again");
    let mut lines = BufReader::new(tracer.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|line| line.expect("text").ends_with("seized")), "it traces");
    tracer
}

/// In the tracer: traces until its input ends. Returns whether this process is a tracer.
pub(crate) fn is_tracer() -> bool {
    let Some(pid) = std::env::var_os(ROLE) else { return false };
    let pid = pid.to_str().and_then(|pid| pid.parse().ok()).expect("a pid");
    sys::seize(pid).expect("root may");
    println!("seized");
    std::io::stdin().read_line(&mut String::new()).expect("it ends");
    true
}

/// Ends the tracer, which lets go of the traced process.
pub(crate) fn let_go(mut tracer: Child) {
    drop(tracer.stdin.take());
    tracer.wait().expect("it ends");
}
