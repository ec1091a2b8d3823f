//! The tasks `test` and `test-slow`: run the unit, property and behaviour tests.
//!
//! Benches are left out (`bench-build` compiles them), and doctests have a task of their own.
//!
//! A test that cannot run here, because a program is missing or it needs root, must not pass
//! silently. It appends a line to the file that `PROCESSION_SKIP_LOG` names, and the task prints
//! and counts these lines. Tests of the slow tier run if `PROCESSION_SLOW` is `1`.
//!
//! Unless `RUST_TEST_THREADS` is set, twice as many tests run at once as there are processors,
//! because tests mostly wait for children.

use std::collections::BTreeSet;
use std::thread;

use anyhow::{Context, Result};
use xshell::{PushEnv, Shell, cmd};

/// Runs every test except the slow tier, the doctests and the benches.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let _threads = more_threads(sh)?;
    counting_skips(sh, || {
        // The tests of the examples start the built examples.
        cmd!(sh, "cargo build --workspace --locked --bins --examples").run()?;
        Ok(cmd!(sh, "cargo test --workspace --locked --no-fail-fast --tests").run()?)
    })
}

/// Runs more tests at once while the guard lives.
pub(crate) fn more_threads(sh: &Shell) -> Result<Option<PushEnv<'_>>> {
    const NAME: &str = "RUST_TEST_THREADS";
    if sh.var_os(NAME).is_some() {
        return Ok(None);
    }
    let processors = thread::available_parallelism().context("no number of processors")?;
    Ok(Some(sh.push_env(NAME, (2 * processors.get()).to_string())))
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
fn skipped(log: &str) -> BTreeSet<&str> {
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
