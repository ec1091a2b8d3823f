//! Skips tests visibly. A skipped test writes one line, with a count, to the real stderr, past the
//! harness's capture, and one to the file that `PROCESSION_SKIP_LOG` names. The task that runs the
//! tests counts the lines of that file.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The beginning of each line about a skipped test.
const MARK: &str = "SKIPPED: ";

/// How many tests this binary has skipped so far.
static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Writes to stderr that `what` is skipped, and why. For a test in its own process.
pub fn skip(what: &str, why: &str) {
    announce(&format!("{MARK}{what}: {why}"));
}

/// Does the same for a test that shares its process with others: no parent forwards its line.
pub fn skip_here(what: &str, why: &str) {
    forward(&format!("{MARK}{what}: {why}"));
}

/// Returns whether this process runs as root; skips the test if not.
pub fn root_or_skip(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip(what, "needs root");
    }
    root
}

/// Writes which of several ways served here, to stderr and to the file that `PROCESSION_SERVED_LOG`
/// names. The task `vm` prints these lines for each kernel.
pub fn served(what: &str, by: &str) {
    announce(&format!("SERVED: {what}: {by}"));
    append("PROCESSION_SERVED_LOG", &format!("{what}: {by}"));
}

/// Forwards, with a count, the lines that a test in its own process wrote with [`skip`].
pub fn forward(stderr: &str) {
    for what in stderr.lines().filter_map(|line| line.strip_prefix(MARK)) {
        let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        announce(&format!("{MARK}{what} ({count} skipped in this binary)"));
        append("PROCESSION_SKIP_LOG", what);
    }
}

/// Adds a line to the file that a variable names, if there is one.
fn append(variable: &str, line: &str) {
    let Some(path) = std::env::var_os(variable) else { return };
    let mut file =
        OpenOptions::new().append(true).create(true).open(&path).expect("a file to add to");
    file.write_all(format!("{line}\n").as_bytes()).expect("the file takes a line");
}

/// Writes a line to the real stderr, which the test harness does not capture.
fn announce(line: &str) {
    // One write keeps the lines of several tests apart. A failed write is harmless.
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).ok();
}
