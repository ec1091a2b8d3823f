//! Runs a test under strace, with marks in the log.

use rustix::fs::{Access, access};

use crate::trace::{Call, calls};
use crate::watch::{is_watched, watched};

/// Writes a line into the log of the watching program.
pub(crate) fn mark(text: &str) {
    access(format!("/procession/{text}"), Access::EXISTS).expect_err("there is no such file");
}

/// Returns the place of a mark in a log.
pub(crate) fn place(log: &[Call], text: &str) -> usize {
    let mark = format!("\"/procession/{text}\"");
    log.iter().position(|call| call.text.contains(&mark)).unwrap_or_else(|| panic!("no {mark}"))
}

/// Runs `body` under strace and returns the log, or `None` without strace.
pub(crate) fn traced(name: &str, body: impl FnOnce()) -> Option<Vec<Call>> {
    if is_watched() {
        body();
        return None;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let log = dir.path().join("log");
    let file = log.to_str().expect("its name is text");
    let output = watched(name, &["strace", "-f", "-o", file])?;
    assert!(output.status.success(), "{output:?}");
    Some(calls(&log))
}
