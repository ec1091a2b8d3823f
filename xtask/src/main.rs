//! The tasks of this repository: `cargo xtask <task>`.
//!
//! This file knows the list of tasks and nothing else; each task is one function in the file of
//! its name, or in `cargo.rs` where it is a call or two. There is no shell script behind them, and they need rustup's cargo and a C toolchain
//! only: a tool beyond that is installed, pinned, below `target/`.

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

/// A line of the list of tasks: its name, what it does, and the function.
type Task = (&'static str, &'static str, fn(&Shell) -> Result<()>);

/// The tasks that take words of their own.
const WITH_ARGUMENTS: [&str; 8] =
    ["busy", "compare", "fuzz", "imports", "soak", "asan", "leaks", "mutants"];

const TASKS: &[Task] = &[
    ("ci", "the whole merge gate: every step below", ci::run),
    ("ci --slow", "the same, and the slow tier of the tests", ci::run_slow),
    ("fmt", "check the formatting", cargo::fmt),
    ("clippy", "all targets, warnings are errors", cargo::clippy),
    ("tidy", "the rules no compiler knows", tidy::run),
    ("imports", "[CRATE..]: which file depends on which, and the circles", imports::run),
    ("cases", "covered and missing behaviour cases per area", cases::run),
    ("test", "unit, property and behaviour tests", test::run),
    ("test-slow", "the same with the slow tier", test::run_with_slow_tier),
    ("busy", "[--times N]: `test` 5 times in a row on processors that others keep busy", busy::run),
    ("test-paths", "the tests of spawning on each of the three paths", test_paths::run),
    ("test-paths-slow", "every test of the process transport on each of them", test_paths::run_all),
    ("loop-free", "the spawner without the reactor: lints, tests, its tree", loop_free::run),
    ("doctest", "the examples in doc comments", cargo::doctest),
    ("doc", "rustdoc, private items too, warnings are errors", cargo::doc),
    ("deny", "bans, licences, sources (cargo-deny)", cargo::deny),
    ("examples", "the tests of the examples, which run each of them", cargo::examples),
    (
        "portability",
        "compile the libraries for other systems (Debian's second toolchain)",
        portability::run,
    ),
    ("bench-build", "compile the benches", cargo::bench_build),
    (
        "counts",
        "system calls and instructions of a release build (strace, valgrind)",
        cargo::counts,
    ),
    ("matrix", "refuse each call of a launch and write docs/launch-matrix.md (root)", matrix::run),
    (
        "compare",
        "[--quick] [--only ID].. [--growth] [--runs N]: against everyone (docs/performance.md)",
        cargo::compare,
    ),
    ("fuzz", "TARGET --minutes N: one fuzz target (nightly, cargo-fuzz)", fuzz::run),
    ("soak", "--minutes N [--seed S]: a random mix of everything against a model", cargo::soak),
    ("asan", "[PACKAGE..]: the suite with AddressSanitizer (nightly)", sanitizers::asan),
    ("leaks", "[PACKAGE..]: the suite with LeakSanitizer (nightly)", sanitizers::leaks),
    ("api", "public functions, and those without a bad-input test (nightly)", api::run),
    ("public-api", "write what the libraries show to public-api/ (nightly)", public_api::write),
    ("public-api --check", "compare with public-api/, and count (nightly)", public_api::check),
    (
        "mutants",
        "[NAME..]|[--cores]: break one behaviour after the other; which test notices?",
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

/// The text of `cargo xtask` without a task.
fn list() -> String {
    let mut text = String::from("usage: cargo xtask <task>\n\ntasks:\n");
    for (name, about, _) in TASKS {
        text.push_str(&format!("  {name:<12} {about}\n"));
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
