//! Runs a suite and counts its tests.

use std::path::Path;

use anyhow::{Error, Result};
use xshell::{Cmd, Shell};

use crate::{binaries, skips};

/// The results of one suite.
pub(crate) struct Counts {
    /// The skipped tests are among them.
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// What failed: a build, or test binaries.
    pub(crate) error: Option<Error>,
}

/// Builds the tests that a call of `cargo test` names, and runs those whose source is wanted.
pub(crate) fn run(
    sh: &Shell,
    cargo_test: Cmd<'_>,
    is_wanted: impl Fn(&Path) -> bool,
) -> Result<Counts> {
    sh.remove_path("target/test-output")?;
    let outcome = skips::counting(sh, || binaries::run(sh, cargo_test, is_wanted));
    let mut counts = Counts { passed: 0, failed: 0, skipped: 0, error: outcome.err() };
    if let Some(error) = &counts.error {
        println!("{error:#}");
    }
    for output in sh.read_dir("target/test-output").unwrap_or_default() {
        // Above it may be the output of a test in a process of its own, which has such a line too.
        let output = sh.read_file(output)?;
        let last = output.lines().rev().find_map(|line| line.strip_prefix("test result: "));
        counts.passed += last.map_or(0, |line| number(line, " passed"));
        counts.failed += last.map_or(0, |line| number(line, " failed"));
    }
    counts.skipped = skips::lines(&sh.read_file("target/skipped-tests.txt")?).len();
    Ok(counts)
}

/// Returns the number before a word in the last line of a test binary.
fn number(line: &str, word: &str) -> usize {
    let before = line.split_once(word).map(|(before, _)| before);
    before.and_then(|before| before.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}
