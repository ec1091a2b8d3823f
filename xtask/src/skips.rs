//! Counts the tests that are skipped.
//!
//! A test that cannot run here, because a program is missing or it needs root, must not pass
//! silently. It appends a line to the file that `PROCESSION_SKIP_LOG` names. The programs in
//! `conformance` that run suites include this file by its path.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use xshell::Shell;

/// Runs tests, then prints and counts the skipped ones.
pub(crate) fn counting(sh: &Shell, tests: impl FnOnce() -> Result<()>) -> Result<()> {
    let log = sh.current_dir().join("target").join("skipped-tests.txt");
    sh.write_file(&log, "").context("the list of skipped tests cannot be started")?;
    let _log = sh.push_env("PROCESSION_SKIP_LOG", &log);
    let outcome = tests();
    let text = sh.read_file(&log).context("the list of skipped tests is gone")?;
    let skipped = lines(&text);
    for line in &skipped {
        println!("SKIPPED {line}");
    }
    println!("{} tests skipped", skipped.len());
    outcome
}

/// Returns the lines of the skip log, each once, because a test that re-executes itself may write
/// two.
pub(crate) fn lines(log: &str) -> BTreeSet<&str> {
    log.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_skip_written_twice_counts_once() {
        assert_eq!(lines("b: not root\na: no gpg\n\nb: not root\n").len(), 2);
        assert!(lines("").is_empty());
    }
}
