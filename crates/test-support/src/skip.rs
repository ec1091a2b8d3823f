//! Skipping, loudly: one line on the real stderr, past the harness's capture, with a count, and one
//! in the file that `PROCESSION_SKIP_LOG` names, where whoever runs the tests counts them.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What each line of a skipped test begins with.
const MARK: &str = "SKIPPED: ";

/// How many tests this binary has skipped so far.
static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Says on stderr that `what` is skipped, and why.
pub fn skip(what: &str, why: &str) {
    announce(&format!("{MARK}{what}: {why}"));
}

/// The same for a test that runs beside others, which nobody passes on.
pub fn skip_here(what: &str, why: &str) {
    forward(&format!("{MARK}{what}: {why}"));
}

/// True for root; otherwise the test is skipped.
pub fn root_or_skip(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip(what, "needs root");
    }
    root
}

/// Passes on, with a count, what a test in a process of its own said with [`skip`].
pub fn forward(stderr: &str) {
    for what in stderr.lines().filter_map(|line| line.strip_prefix(MARK)) {
        let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        announce(&format!("{MARK}{what} ({count} skipped in this binary)"));
        log(what);
    }
}

/// Adds a line to the list of skipped tests, if there is one.
fn log(what: &str) {
    let Some(path) = std::env::var_os("PROCESSION_SKIP_LOG") else { return };
    let mut file =
        OpenOptions::new().append(true).create(true).open(&path).expect("a file to add to");
    file.write_all(format!("{what}\n").as_bytes()).expect("the list of skipped tests takes a line");
}

/// Writes a line where the test harness does not capture it.
fn announce(line: &str) {
    // In one write, so that lines of several tests do not mix. If nobody reads it, nobody is told.
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).ok();
}
