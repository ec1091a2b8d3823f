//! The task `loop-free`: the spawner without the reactor, built, linted and tested, and what it
//! depends on.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

const PACKAGE: &str = "procession-process-transport";

/// What of the facade's features is on; the default, which is both, every other step has.
const FACADE: [&str; 4] = ["", "reactor", "net", "run"];

/// The most packages in its tree, itself included.
const MOST_PACKAGES: usize = 17;

/// Those that come with a loop.
const OF_A_LOOP: [&str; 2] = ["procession-reactor", "polling"];

/// Lints and tests the form without the feature `reactor`, and looks at its tree.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let form = ["-p", PACKAGE, "--no-default-features", "--locked"];
    cmd!(sh, "cargo clippy {form...} --all-targets -- -D warnings").run()?;
    // Everything else of its tests needs a loop.
    cmd!(sh, "cargo test {form...} --lib --test spawned --test fd_plan_props").run()?;
    cmd!(sh, "cargo test {form...} --doc").run()?;
    // The facade is checked here with each of its features, because its plainest form is this one.
    for features in FACADE {
        let form =
            ["-p", "procession", "--no-default-features", "--features", features, "--locked"];
        cmd!(sh, "cargo clippy {form...} --lib -- -D warnings").run()?;
    }
    let tree = cmd!(sh, "cargo tree {form...} -e normal --prefix none").read()?;
    let packages = packages(&tree);
    println!("{} packages: {packages:?}", packages.len());
    let of_a_loop: Vec<_> = OF_A_LOOP.iter().filter(|name| packages.contains(**name)).collect();
    ensure!(of_a_loop.is_empty(), "without the loop there is still {of_a_loop:?}");
    ensure!(packages.len() <= MOST_PACKAGES, "more than {MOST_PACKAGES} packages");
    Ok(())
}

/// The names of a tree that is printed without its lines, each once.
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
