//! The task `ci`: the whole merge gate. `.ci/run` calls it and has no check of its own.
//!
//! Every step runs, even if earlier ones have failed. The last line is always `N passed, N failed`,
//! so a caller can read the outcome without knowing the steps.

use std::process;
use std::time::{Duration, Instant};

use anyhow::Result;
use xshell::Shell;

use crate::{TASKS, Task};

/// The tasks of the gate, the cheapest first.
const STEPS: [&str; 10] =
    ["fmt", "clippy", "tidy", "test", "test-paths", "loop-free", "doctest", "doc", "deny", "words"];

/// What only the slow tier runs. `bench-build` and `counts` build the peers or an optimised
/// library, which takes minutes and checks nothing that the library does. `musl` builds and runs
/// every suite once more. `book` builds mdBook.
const SLOW_STEPS: [&str; 6] =
    ["bench-build", "public-api --check", "counts", "loom", "musl", "book"];

/// Runs the checks that every change must pass.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    run_steps(sh, &STEPS)
}

/// Runs the same checks with the slow tier of the tests.
pub(crate) fn run_slow(sh: &Shell) -> Result<()> {
    let with_slow_tier = |name| match name {
        "test" => "test-slow",
        "test-paths" => "test-paths-slow",
        other => other,
    };
    run_steps(sh, &[&STEPS.map(with_slow_tier)[..], &SLOW_STEPS].concat())
}

/// The outcome of one step.
struct StepOutcome {
    name: &'static str,
    passed: bool,
    took: Duration,
}

/// Runs every step and prints the table. If a step failed, exits without another message.
fn run_steps(sh: &Shell, names: &[&str]) -> Result<()> {
    let outcomes = outcomes(sh, &tasks(names));
    print!("{}", table(&outcomes));
    if outcomes.iter().all(|outcome| outcome.passed) { Ok(()) } else { process::exit(1) }
}

fn tasks(names: &[&str]) -> Vec<Task> {
    let task = |wanted: &&str| TASKS.iter().find(|(name, ..)| name == wanted);
    names.iter().map(|name| *task(name).expect("every step is a task")).collect()
}

/// Runs all steps, each below a heading, and prints the outcome of each.
fn outcomes(sh: &Shell, steps: &[Task]) -> Vec<StepOutcome> {
    let start = now();
    let outcome = |(name, run): &Task| {
        println!("\n=== {name} (at {:.1} s)", start.elapsed().as_secs_f64());
        let began = now();
        let result = run(sh);
        let outcome = StepOutcome { name, passed: result.is_ok(), took: began.elapsed() };
        if let Err(error) = result {
            println!("error: {error:#}");
        }
        println!("=== {name}: {} in {:.1} s", outcome.word(), outcome.took.as_secs_f64());
        outcome
    };
    steps.iter().map(outcome).collect()
}

/// Returns the final table. Its last line is the count.
fn table(outcomes: &[StepOutcome]) -> String {
    let mut text = String::from("\nstep          result   seconds\n");
    for outcome in outcomes {
        let seconds = outcome.took.as_secs_f64();
        text += &format!("{:<13} {:<6} {seconds:>9.1}\n", outcome.name, outcome.word());
    }
    let passed = outcomes.iter().filter(|outcome| outcome.passed).count();
    text + &format!("\n{passed} passed, {} failed\n", outcomes.len() - passed)
}

impl StepOutcome {
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

    #[test]
    fn every_step_runs_and_the_last_line_is_the_count() {
        let good: fn(&Shell) -> Result<()> = |_| Ok(());
        let steps: [Task; 3] =
            [("good", good), ("bad", |_| Err(anyhow::anyhow!("meant to fail"))), ("late", good)];
        let outcomes = outcomes(&Shell::new().unwrap(), &steps);
        assert_eq!(outcomes.iter().map(|o| o.passed).collect::<Vec<_>>(), [true, false, true]);
        let table = table(&outcomes);
        assert_eq!(table.lines().last(), Some("2 passed, 1 failed"));
        assert!(table.lines().any(|line| line.starts_with("bad ") && line.contains("FAILED")));
    }

    #[test]
    fn every_step_is_a_task() {
        assert_eq!(tasks(&STEPS).len(), STEPS.len());
        assert_eq!(tasks(&["test-slow", "test-paths-slow"]).len(), 2);
        assert_eq!(tasks(&SLOW_STEPS).len(), SLOW_STEPS.len());
    }
}
