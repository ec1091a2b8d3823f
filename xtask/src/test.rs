//! The tasks `test` and `test-slow`: run the unit, property and behaviour tests.
//!
//! Benches are left out (`bench-build` compiles them), and doctests have a task of their own.
//!
//! A test that cannot run here, because a program is missing or it needs root, must not pass
//! silently. It appends a line to the file that `PROCESSION_SKIP_LOG` names, and the task prints
//! and counts these lines. Tests of the slow tier run if `PROCESSION_SLOW` is `1`.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::binaries;

/// Runs every test except the slow tier, the doctests and the benches.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    counting_skips(sh, || {
        // The tests of the examples start the built examples.
        cmd!(sh, "cargo build --workspace --locked --bins --examples").run()?;
        binaries::run(sh, cmd!(sh, "cargo test --workspace --locked --tests"), |_| true)
    })
}

/// Runs tests, then prints and counts the skipped ones.
pub(crate) fn counting_skips(sh: &Shell, tests: impl FnOnce() -> Result<()>) -> Result<()> {
    let log = sh.current_dir().join("target").join("skipped-tests.txt");
    sh.write_file(&log, "").context("the list of skipped tests cannot be started")?;
    let _log = sh.push_env("PROCESSION_SKIP_LOG", &log);
    let outcome = tests();
    let text = sh.read_file(&log).context("the list of skipped tests is gone")?;
    let skipped = skipped(&text);
    for line in &skipped {
        println!("SKIPPED {line}");
    }
    println!("{} tests skipped", skipped.len());
    outcome
}

/// Runs the same tests with the slow tier.
pub(crate) fn run_with_slow_tier(sh: &Shell) -> Result<()> {
    let _slow = sh.push_env("PROCESSION_SLOW", "1");
    println!("with PROCESSION_SLOW=1");
    run(sh)
}

/// Returns the lines of the skip log, each once, because a test that re-executes itself may write
/// two.
pub(crate) fn skipped(log: &str) -> BTreeSet<&str> {
    log.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::skipped;

    #[test]
    fn a_skip_written_twice_counts_once() {
        assert_eq!(skipped("b: not root\na: no gpg\n\nb: not root\n").len(), 2);
        assert!(skipped("").is_empty());
    }
}
