//! Loud skipping. A skipped test prints a line with a count on the real stderr, which the harness does not
//! capture. It also adds a line to the file that `PROCESSION_SKIP_LOG` names, where the runner of the tests
//! counts the lines.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The beginning of each line of a skipped test.
const MARK: &str = "SKIPPED: ";

/// The number of tests that this binary has skipped so far.
static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Prints on stderr that `what` is skipped, and why. The parent of an [isolated](crate::isolated)
/// test adds the count, by [`forward`].
pub fn skip(what: &str, why: &str) {
    announce(&format!("{MARK}{what}: {why}"));
}

/// Does the same for a test that runs beside others in this process: also counts and logs it.
pub fn skip_here(what: &str, why: &str) {
    forward(&format!("{MARK}{what}: {why}"));
}

/// Returns whether the user is root; if not, prints that the test is skipped.
pub fn root_or_skip(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip(what, "needs root");
    }
    root
}

/// Passes the lines on that a test in a separate process printed by [`skip`], with a count.
pub fn forward(stderr: &str) {
    for what in stderr.lines().filter_map(|line| line.strip_prefix(MARK)) {
        let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        announce(&format!("{MARK}{what} ({count} skipped in this binary)"));
        log(what);
    }
}

/// Adds a line to the list of skipped tests, if the variable names one.
fn log(what: &str) {
    let Some(path) = std::env::var_os("PROCESSION_SKIP_LOG") else { return };
    let mut file =
        OpenOptions::new().append(true).create(true).open(&path).expect("a file to add to");
    file.write_all(format!("{what}\n").as_bytes()).expect("the list of skipped tests takes a line");
}

/// Writes a line where the test harness does not capture it.
fn announce(line: &str) {
    // In one write, so that lines of several tests do not mix. If it fails, nobody reads stderr.
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).ok();
}
