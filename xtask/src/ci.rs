//! The task `ci`: the merge gate, whole. `.ci/run` calls it and holds no check of its own.

use std::process::ExitCode;

use xshell::Shell;

use crate::report::{self, Step};
use crate::{
    bench_build, clippy, counts, deny, doc, doctest, examples, fmt, loop_free, public_api, test,
    test_paths, tidy,
};

/// How much of the gate to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// What every change must pass.
    Quick,
    /// The same, with the tests that take long.
    Slow,
}

/// Runs every step, prints the table, and answers with failure when one of them failed.
pub(crate) fn run(sh: &Shell, tier: Tier) -> ExitCode {
    let outcomes = report::run_all(sh, &steps(tier));
    print!("{}", report::table(&outcomes));
    if report::all_passed(&outcomes) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The steps in the order in which a mistake is cheapest to find.
///
/// `counts` takes an optimised build of every peer, some minutes that the quick tier does not have.
fn steps(tier: Tier) -> Vec<Step> {
    let test = match tier {
        Tier::Quick => Step { name: "test", run: test::run },
        Tier::Slow => Step { name: "test-slow", run: test::run_with_slow_tier },
    };
    let test_paths = match tier {
        Tier::Quick => Step { name: "test-paths", run: test_paths::run },
        Tier::Slow => Step { name: "test-paths-slow", run: test_paths::run_all },
    };
    let quick = [
        Step { name: "fmt", run: fmt::run },
        Step { name: "clippy", run: clippy::run },
        Step { name: "tidy", run: tidy::run },
        test,
        test_paths,
        Step { name: "loop-free", run: loop_free::run },
        Step { name: "doctest", run: doctest::run },
        Step { name: "doc", run: doc::run },
        Step { name: "deny", run: deny::run },
        Step { name: "examples", run: examples::run },
        Step { name: "bench-build", run: bench_build::run },
    ];
    let slow = [
        Step { name: "public-api", run: public_api::check },
        Step { name: "counts", run: counts::run },
    ];
    let slow = slow.into_iter().filter(|_| tier == Tier::Slow);
    quick.into_iter().chain(slow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slow_tier_contains_every_step_of_the_quick_one() {
        let names = |tier| {
            let steps = steps(tier).into_iter();
            steps.map(|step| step.name.trim_end_matches("-slow")).collect::<Vec<_>>()
        };
        assert_eq!(
            [&names(Tier::Quick)[..], &["public-api", "counts"]].concat(),
            names(Tier::Slow)
        );
    }
}
