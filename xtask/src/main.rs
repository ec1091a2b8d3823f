//! The tasks of this repository: `cargo xtask <task>`.
//!
//! This file has the list of tasks and nothing else. Each task is one function in the file of its
//! name, or in `cargo.rs` if it is one or two calls of cargo. No task is a shell script. Most tasks
//! need only rustup's cargo and a C toolchain. `tool.rs` installs other cargo tools in pinned
//! versions, and a task that needs more says so.

mod api;
mod arguments;
mod busy;
mod cargo;
mod cases;
mod catalogue;
mod ci;
mod citations;
mod fuzz;
mod imports;
mod loop_free;
mod matrix;
mod metadata;
mod mutants;
mod portability;
mod public_api;
mod sanitizers;
mod source;
mod test;
mod test_paths;
mod tidy;
mod tokens;
mod tool;
mod tree;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use xshell::Shell;

/// A task: its name, a description, and its function.
type Task = (&'static str, &'static str, fn(&Shell) -> Result<()>);

/// The tasks that take arguments.
const WITH_ARGUMENTS: [&str; 8] =
    ["busy", "compare", "fuzz", "imports", "soak", "asan", "leaks", "mutants"];

const TASKS: &[Task] = &[
    ("ci", "run the whole merge gate", ci::run),
    ("ci --slow", "run the merge gate with the slow tier of the tests", ci::run_slow),
    ("fmt", "check the formatting", cargo::fmt),
    ("clippy", "lint all targets; warnings are errors", cargo::clippy),
    ("tidy", "check the rules of this repository that the compiler does not know", tidy::run),
    ("imports", "[CRATE..]: print which file depends on which, and the circles", imports::run),
    ("cases", "print covered and missing behaviour cases per area", cases::run),
    ("test", "run the unit, property and behaviour tests", test::run),
    ("test-slow", "run the same tests with the slow tier", test::run_with_slow_tier),
    ("busy", "[--times N]: run `test` N times (default 5) on busy processors", busy::run),
    (
        "test-paths",
        "run the tests of spawning on each spawn path that `test` does not use",
        test_paths::run,
    ),
    (
        "test-paths-slow",
        "run every test of the process transport on each spawn path",
        test_paths::run_all,
    ),
    (
        "loop-free",
        "check the spawner without the reactor: lints, tests, dependencies",
        loop_free::run,
    ),
    ("doctest", "run the examples in doc comments", cargo::doctest),
    ("doc", "build the documentation with private items; warnings are errors", cargo::doc),
    ("deny", "check bans, licences and sources of dependencies (cargo-deny)", cargo::deny),
    ("examples", "run the tests of the examples, which run every example", cargo::examples),
    (
        "portability",
        "compile the libraries for other systems (Debian's second toolchain)",
        portability::run,
    ),
    ("bench-build", "compile the benches", cargo::bench_build),
    (
        "counts",
        "count system calls and instructions of a release build (strace, valgrind)",
        cargo::counts,
    ),
    ("matrix", "refuse each call of a launch and write docs/launch-matrix.md (root)", matrix::run),
    (
        "compare",
        "[--quick] [--only ID].. [--growth] [--runs N]: measure against peers (docs/performance.md)",
        cargo::compare,
    ),
    ("fuzz", "TARGET --minutes N: run one fuzz target (nightly, cargo-fuzz)", fuzz::run),
    ("soak", "--minutes N [--seed S]: run random operations against a model", cargo::soak),
    ("asan", "[PACKAGE..]: run the suite with AddressSanitizer (nightly)", sanitizers::asan),
    ("leaks", "[PACKAGE..]: run the suite with LeakSanitizer (nightly)", sanitizers::leaks),
    ("api", "list public functions, and those without a bad-input test", api::run),
    (
        "public-api",
        "write the public items of the libraries to public-api/ (nightly)",
        public_api::write,
    ),
    (
        "public-api --check",
        "compare the public items with public-api/, and count them (nightly)",
        public_api::check,
    ),
    (
        "mutants",
        "[NAME..]|[--cores]: break one behaviour after another and print which tests fail",
        mutants::run,
    ),
];

fn main() -> ExitCode {
    let wanted = env::args().skip(1).collect::<Vec<_>>().join(" ");
    if wanted.is_empty() {
        print!("{}", list());
        return ExitCode::SUCCESS;
    }
    let first = wanted.split(' ').next().filter(|first| WITH_ARGUMENTS.contains(first));
    let found = TASKS.iter().find(|(name, ..)| *name == wanted || Some(*name) == first);
    let Some((_, _, run)) = found else {
        eprint!("error: there is no task `{wanted}`\n\n{}", list());
        return ExitCode::from(2);
    };
    match shell_at_root().and_then(|sh| run(&sh)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the text that `cargo xtask` without a task prints.
fn list() -> String {
    let mut text = String::from("usage: cargo xtask <task>\n\ntasks:\n");
    for (name, about, _) in TASKS {
        text.push_str(&format!("  {name:<12} {about}\n"));
    }
    text
}

/// Opens a shell in the root of the workspace, whatever the current directory is.
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
        for (name, ..) in TASKS {
            assert_eq!(list.matches(&format!("  {name:<12} ")).count(), 1, "{name}");
        }
    }

    #[test]
    fn the_shell_starts_at_the_root_of_the_workspace() {
        let sh = shell_at_root().unwrap();
        assert!(sh.read_file("Cargo.toml").unwrap().contains("[workspace]"));
    }
}
