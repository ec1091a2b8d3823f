//! The task `loop-free`: lints, tests and documents the spawner and the blocking runs without the reactor,
//! and checks their dependencies.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

/// The packages that have a form without a loop.
const PACKAGES: [&str; 2] = ["procession-process-transport", "procession-utils"];

/// Their tests that need no loop.
const TESTS: [&str; 6] = ["spawned", "fd_plan_props", "blocking", "group_end", "limits", "run"];

/// The features of the facade, one at a time. Every other step has the default features.
const FACADE: [&str; 8] =
    ["", "reactor", "net", "run", "run,reactor", "regex", "tokio", "run,tracing"];

/// The most packages in a dependency tree, the root included.
const MOST_PACKAGES: usize = 17;

/// The packages of the event loop, which must not be in the tree.
const OF_A_LOOP: [&str; 2] = ["procession-reactor", "polling"];

/// Lints, tests and documents the crates without the feature `reactor`, and checks their dependency trees.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let packages = PACKAGES.iter().flat_map(|package| ["-p", package]);
    let form: Vec<_> = packages.chain(["--no-default-features", "--locked"]).collect();
    let (form, tests) = (&form, TESTS.iter().flat_map(|test| ["--test", test]));
    // One call for both crates builds what they share once.
    cmd!(sh, "cargo clippy {form...} --lib -- -D warnings").run()?;
    cmd!(sh, "cargo test {form...} --lib {tests...}").run()?;
    cmd!(sh, "cargo test {form...} --doc").run()?;
    documents(sh, form)?;
    for package in PACKAGES {
        let packages = packages_of(sh, &["-p", package, "--no-default-features", "--locked"])?;
        ensure!(packages <= MOST_PACKAGES, "more than {MOST_PACKAGES} packages");
    }
    // The facade is checked here with each of its features. Without any, it is the loop-free form.
    for features in FACADE {
        let form =
            ["-p", "procession", "--no-default-features", "--features", features, "--locked"];
        cmd!(sh, "cargo clippy {form...} --lib -- -D warnings").run()?;
    }
    packages_of(sh, &["-p", "procession-tokio", "--locked"])?;
    Ok(())
}

/// Builds the pages of this form. A link to an item that only the loop has is an error.
fn documents(sh: &Shell, form: &[&str]) -> Result<()> {
    let _flags = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    // Not over the pages of the usual form.
    Ok(cmd!(sh, "cargo doc {form...} --no-deps --target-dir target/loop-free").run()?)
}

/// Counts the packages of a dependency tree, in which no event loop of ours may be.
fn packages_of(sh: &Shell, form: &[&str]) -> Result<usize> {
    let tree = cmd!(sh, "cargo tree {form...} -e normal --prefix none").read()?;
    let packages = packages(&tree);
    println!("{} packages: {packages:?}", packages.len());
    let of_a_loop: Vec<_> = OF_A_LOOP.iter().filter(|name| packages.contains(**name)).collect();
    ensure!(of_a_loop.is_empty(), "{form:?}: the tree has {of_a_loop:?}");
    Ok(packages.len())
}

/// Returns the package names of a tree that is printed without indentation, each once.
fn packages(tree: &str) -> BTreeSet<&str> {
    tree.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::packages;

    #[test]
    fn a_package_that_is_printed_twice_counts_once() {
        let tree = "a v1.0.0 (/x)\nlibc v0.2.1\nb v1.0.0\nlibc v0.2.1 (*)\n";
        assert_eq!(packages(tree).into_iter().collect::<Vec<_>>(), ["a", "b", "libc"]);
    }
}
