//! Runs steps one after the other and tells how they went.
//!
//! Every step runs, whatever became of the ones before it. The last line of the report is always
//! `N passed, N failed`, so that a caller can read the outcome without knowing the steps.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use xshell::Shell;

/// A named part of a task that can fail on its own.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    /// What the heading and the table call it.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) run: fn(&Shell) -> Result<()>,
}

/// What became of one step.
pub(crate) struct Outcome {
    name: &'static str,
    passed: bool,
    took: Duration,
}

/// Runs all steps, each below a heading, and prints what became of each.
pub(crate) fn run_all(sh: &Shell, steps: &[Step]) -> Vec<Outcome> {
    let start = now();
    steps
        .iter()
        .map(|step| {
            println!("\n=== {} (at {:.1} s)", step.name, start.elapsed().as_secs_f64());
            let began = now();
            let result = (step.run)(sh);
            let took = began.elapsed();
            if let Err(error) = &result {
                println!("error: {error:#}");
            }
            let outcome = Outcome { name: step.name, passed: result.is_ok(), took };
            println!("=== {}: {} in {:.1} s", step.name, outcome.word(), took.as_secs_f64());
            outcome
        })
        .collect()
}

/// Tells whether no step failed.
pub(crate) fn all_passed(outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|outcome| outcome.passed)
}

/// The table at the end, its last line being the count.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from("\nstep          result   seconds\n");
    for outcome in outcomes {
        let seconds = outcome.took.as_secs_f64();
        let line = writeln!(text, "{:<13} {:<6} {seconds:>9.1}", outcome.name, outcome.word());
        line.expect("a string takes every write");
    }
    let passed = outcomes.iter().filter(|outcome| outcome.passed).count();
    let failed = outcomes.len() - passed;
    text + &format!("\n{passed} passed, {failed} failed\n")
}

impl Outcome {
    fn word(&self) -> &'static str {
        if self.passed { "passed" } else { "FAILED" }
    }
}

#[expect(clippy::disallowed_methods, reason = "headings show real time, and no loop runs here")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[Step] = &[
        Step { name: "good", run: |_| Ok(()) },
        Step { name: "bad", run: |_| Err(anyhow::anyhow!("meant to fail")) },
        Step { name: "late", run: |_| Ok(()) },
    ];

    #[test]
    fn a_failed_step_does_not_stop_the_ones_after_it() {
        let outcomes = run_all(&Shell::new().unwrap(), STEPS);
        assert_eq!(outcomes.iter().map(|o| o.passed).collect::<Vec<_>>(), [true, false, true]);
        assert!(!all_passed(&outcomes));
        assert!(all_passed(&outcomes[..1]));
    }

    #[test]
    fn the_last_line_is_the_count() {
        let outcomes = run_all(&Shell::new().unwrap(), STEPS);
        let table = table(&outcomes);
        assert_eq!(table.lines().last(), Some("2 passed, 1 failed"));
        assert!(table.lines().any(|line| line.starts_with("bad ") && line.contains("FAILED")));
    }
}
