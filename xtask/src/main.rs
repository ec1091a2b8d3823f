//! The tasks of this repository: `cargo xtask <task>`.
//!
//! This file knows the list of tasks and nothing else; each task is one function in the file of
//! its name. There is no shell script behind them, and they need rustup's cargo and a C toolchain
//! only: a tool beyond that is installed, pinned, below `target/`.

mod api;
mod arguments;
mod asan;
mod bench_build;
mod busy;
mod cases;
mod catalogue;
mod ci;
mod citations;
mod clippy;
mod compare;
mod counts;
mod deny;
mod doc;
mod doctest;
mod example_table;
mod examples;
mod fmt;
mod fuzz;
mod imports;
mod leaks;
mod lexer;
mod loop_free;
mod matrix;
mod metadata;
mod mutants;
mod nightly;
mod portability;
mod public_api;
mod report;
mod soak;
mod source;
mod syntax;
mod test;
mod test_paths;
mod tidy;
mod tool;
mod tree;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use xshell::Shell;

/// One line of the list of tasks.
struct Task {
    name: &'static str,
    about: &'static str,
    run: fn(&Shell) -> Result<ExitCode>,
}

/// Makes the outcome of a task that is one step.
macro_rules! step {
    ($function:path) => {
        |sh| $function(sh).map(|()| ExitCode::SUCCESS)
    };
}

/// The tasks that take words of their own.
const WITH_ARGUMENTS: [&str; 9] =
    ["busy", "compare", "fuzz", "imports", "public-api", "soak", "asan", "leaks", "mutants"];

const TASKS: &[Task] = &[
    Task {
        name: "ci",
        about: "the whole merge gate: every step below",
        run: |sh| Ok(ci::run(sh, ci::Tier::Quick)),
    },
    Task {
        name: "ci --slow",
        about: "the same, and the slow tier of the tests",
        run: |sh| Ok(ci::run(sh, ci::Tier::Slow)),
    },
    Task { name: "fmt", about: "check the formatting", run: step!(fmt::run) },
    Task { name: "clippy", about: "all targets, warnings are errors", run: step!(clippy::run) },
    Task { name: "tidy", about: "the rules no compiler knows", run: step!(tidy::run) },
    Task {
        name: "imports",
        about: "[CRATE..]: which file depends on which, and the circles",
        run: step!(imports::run),
    },
    Task {
        name: "cases",
        about: "covered and missing behaviour cases per area",
        run: step!(cases::run),
    },
    Task { name: "test", about: "unit, property and behaviour tests", run: step!(test::run) },
    Task {
        name: "test-slow",
        about: "the same with the slow tier",
        run: step!(test::run_with_slow_tier),
    },
    Task {
        name: "busy",
        about: "[--times N]: `test` 5 times in a row on processors that others keep busy",
        run: step!(busy::run),
    },
    Task {
        name: "test-paths",
        about: "the tests of spawning on each of the three paths",
        run: step!(test_paths::run),
    },
    Task {
        name: "test-paths-slow",
        about: "every test of the process transport on each of them",
        run: step!(test_paths::run_all),
    },
    Task {
        name: "loop-free",
        about: "the spawner without the reactor: lints, tests, its tree",
        run: step!(loop_free::run),
    },
    Task { name: "doctest", about: "the examples in doc comments", run: step!(doctest::run) },
    Task {
        name: "doc",
        about: "rustdoc, private items too, warnings are errors",
        run: step!(doc::run),
    },
    Task { name: "deny", about: "bans, licences, sources (cargo-deny)", run: step!(deny::run) },
    Task {
        name: "examples",
        about: "run every example and compare its output",
        run: step!(examples::run),
    },
    Task {
        name: "portability",
        about: "compile the libraries for other systems (Debian's second toolchain)",
        run: step!(portability::run),
    },
    Task { name: "bench-build", about: "compile the benches", run: step!(bench_build::run) },
    Task {
        name: "counts",
        about: "system calls and instructions of a release build (strace, valgrind)",
        run: step!(counts::run),
    },
    Task {
        name: "matrix",
        about: "refuse each call of a launch and write docs/launch-matrix.md (root)",
        run: step!(matrix::run),
    },
    Task {
        name: "compare",
        about: "[--quick] [--only ID].. [--growth] [--runs N]: against everyone (docs/performance.md)",
        run: step!(compare::run),
    },
    Task {
        name: "fuzz",
        about: "TARGET --minutes N: one fuzz target (nightly, cargo-fuzz)",
        run: step!(fuzz::run),
    },
    Task {
        name: "soak",
        about: "--minutes N [--seed S]: a random mix of everything against a model",
        run: step!(soak::run),
    },
    Task {
        name: "asan",
        about: "[PACKAGE..]: the suite with AddressSanitizer (nightly)",
        run: step!(asan::run),
    },
    Task {
        name: "leaks",
        about: "[PACKAGE..]: the suite with LeakSanitizer (nightly)",
        run: step!(leaks::run),
    },
    Task {
        name: "api",
        about: "public functions, and those without a bad-input test (nightly)",
        run: step!(api::run),
    },
    Task {
        name: "public-api",
        about: "[--check]: write what the libraries show to public-api/ (nightly)",
        run: step!(public_api::run),
    },
    Task {
        name: "mutants",
        about: "[NAME..]|[--cores]: break one behaviour after the other; which test notices?",
        run: step!(mutants::run),
    },
];

fn main() -> ExitCode {
    let wanted = env::args().skip(1).collect::<Vec<_>>().join(" ");
    if wanted.is_empty() {
        print!("{}", list());
        return ExitCode::SUCCESS;
    }
    let first = wanted.split(' ').next().filter(|first| WITH_ARGUMENTS.contains(first));
    let found = TASKS.iter().find(|task| task.name == wanted || Some(task.name) == first);
    let Some(task) = found else {
        eprint!("error: there is no task `{wanted}`\n\n{}", list());
        return ExitCode::from(2);
    };
    match shell_at_root().and_then(|sh| (task.run)(&sh)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The text of `cargo xtask` without a task.
fn list() -> String {
    let mut text = String::from("usage: cargo xtask <task>\n\ntasks:\n");
    for task in TASKS {
        text.push_str(&format!("  {:<12} {}\n", task.name, task.about));
    }
    text
}

/// Opens a shell whose directory is the root of the workspace, wherever it was called from.
fn shell_at_root() -> Result<Shell> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = manifest.parent().map_or(manifest.as_path(), Path::new);
    let sh = Shell::new().context("the current directory is not readable")?;
    sh.change_dir(root);
    Ok(sh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_every_task_once() {
        let list = list();
        for task in TASKS {
            let line = format!("  {:<12} ", task.name);
            assert_eq!(list.matches(&line).count(), 1, "{}", task.name);
        }
    }

    #[test]
    fn the_shell_starts_at_the_root_of_the_workspace() {
        let sh = shell_at_root().unwrap();
        assert!(sh.read_file("Cargo.toml").unwrap().contains("[workspace]"));
    }
}
