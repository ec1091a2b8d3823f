//! The tasks of this repository: `cargo xtask <task>`.
//!
//! This file has the list of tasks and nothing else. Each task is one function in the file of its
//! name, or in `cargo.rs` if it is one or two calls of cargo. No task is a shell script. Most tasks
//! need only rustup's cargo and a C toolchain. `tool.rs` installs other cargo tools in pinned
//! versions, and a task that needs more says so.

mod api;
mod binaries;
mod book;
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
mod skips;
mod source;
mod spawn_tests;
mod test;
mod test_paths;
mod tidy;
mod tokens;
mod tool;
mod tree;
mod twisted;
mod words;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use xshell::Shell;

/// A task: its name and its function. The table in CONTRIBUTING.md describes it.
type Task = (&'static str, fn(&Shell) -> Result<()>);

/// The tasks that take arguments.
const WITH_ARGUMENTS: [&str; 13] = [
    "book", "busy", "compare", "fuzz", "imports", "soak", "libcs", "vm", "twisted", "asan",
    "leaks", "mutants", "release",
];

const TASKS: &[Task] = &[
    ("ci", ci::run),
    ("ci --slow", ci::run_slow),
    ("fmt", cargo::fmt),
    ("clippy", cargo::clippy),
    ("tidy", tidy::run),
    ("imports", imports::run),
    ("cases", cases::run),
    ("test", test::run),
    ("test-slow", test::run_with_slow_tier),
    ("busy", busy::run),
    ("test-paths", test_paths::run),
    ("test-paths-slow", test_paths::run_all),
    ("loop-free", loop_free::run),
    ("doctest", cargo::doctest),
    ("doc", cargo::doc),
    ("deny", cargo::deny),
    ("examples", cargo::examples),
    ("bench-build", cargo::bench_build),
    ("counts", cargo::counts),
    ("words", words::run),
    ("book", book::run),
    ("matrix", matrix::run),
    ("compare", cargo::compare),
    ("portability", portability::run),
    ("msrv", cargo::msrv),
    ("musl", cargo::musl),
    ("libcs", cargo::libcs),
    ("loom", cargo::loom),
    ("tsan", cargo::tsan),
    ("twisted", twisted::run),
    ("fuzz", fuzz::run),
    ("soak", cargo::soak),
    ("vm", cargo::vm),
    ("asan", sanitizers::asan),
    ("leaks", sanitizers::leaks),
    ("mutants", mutants::run),
    ("api", api::run),
    ("public-api", public_api::write),
    ("public-api --check", public_api::check),
    ("release", cargo::release),
];

fn main() -> ExitCode {
    let wanted = env::args().skip(1).collect::<Vec<_>>().join(" ");
    if wanted.is_empty() {
        print!("{}", list());
        return ExitCode::SUCCESS;
    }
    let first = wanted.split(' ').next().filter(|first| WITH_ARGUMENTS.contains(first));
    let found = TASKS.iter().find(|(name, ..)| *name == wanted || Some(*name) == first);
    let Some((_, run)) = found else {
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

/// Returns the text that `cargo xtask` without a task prints: the table in CONTRIBUTING.md.
fn list() -> String {
    let mut text = String::from("usage: cargo xtask <task>\n\n");
    let lines = include_str!("../../CONTRIBUTING.md").lines();
    let table = lines.skip_while(|line| !line.starts_with("| `ci`"));
    for row in table.map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |")) {
        text.push_str(&format!("  {}\n", row.replace(" | ", ": ")));
    }
    text
}

/// Returns the arguments after the name of the task.
fn arguments() -> Vec<String> {
    env::args().skip(2).collect()
}

/// Opens a shell in the root of the workspace, whatever the current directory is.
fn shell_at_root() -> Result<Shell> {
    let manifest = env::var("CARGO_MANIFEST_DIR").context("cargo runs this program")?;
    let root = Path::new(&manifest).parent().context("this package is below the root")?;
    let sh = Shell::new().context("the current directory is not readable")?;
    sh.change_dir(root);
    Ok(sh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_a_row_for_every_task() {
        let list = list();
        let rows = list.lines().skip(2).map(|row| row.split('`').nth(1).unwrap());
        let names = rows.map(|row| match row.split_once(' ') {
            Some((first, _)) if WITH_ARGUMENTS.contains(&first) => first,
            _ => row,
        });
        assert_eq!(
            names.collect::<Vec<_>>(),
            TASKS.iter().map(|(name, _)| *name).collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_shell_starts_at_the_root_of_the_workspace() {
        let sh = shell_at_root().unwrap();
        assert!(sh.read_file("Cargo.toml").unwrap().contains("[workspace]"));
    }
}
