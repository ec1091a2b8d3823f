//! Reports a skipped test: one line on the real stderr, past the harness's capture, and one in the
//! file that `PROCESSION_SKIP_LOG` names, whose lines are counted after the run.

use std::fs::OpenOptions;
use std::io::Write;

/// Reports that `what` is skipped, and why.
pub(crate) fn skip(what: &str, why: &str) {
    let line = format!("{what}: {why}\n");
    // Use one write, so that lines of several tests do not mix. If nobody reads it, nobody can
    // receive the error.
    std::io::stderr().write_all(format!("SKIPPED: {line}").as_bytes()).ok();
    let Some(path) = std::env::var_os("PROCESSION_SKIP_LOG") else { return };
    let mut file =
        OpenOptions::new().append(true).create(true).open(&path).expect("a file to add to");
    file.write_all(line.as_bytes()).expect("the list of skipped tests takes a line");
}
