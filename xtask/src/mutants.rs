//! The task `mutants`: breaks one behaviour after another and prints which tests fail.
//!
//! Each break replaces text in a copy of the tree below `target/mutants`, so the working tree stays
//! as it is. Then the task runs the test targets that should fail, with a time limit: a hang counts
//! as a failure. Before the first break it runs them unbroken, because a test that fails anyway
//! would seem to notice every break. If no test fails, a test is missing, and the task fails.
//! `cargo xtask mutants NAME..` tries only those breaks. `cargo xtask mutants --cores` has
//! cargo-mutants break the pure cores, with all of its own mutations.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::{arguments, tool, tree};

/// The breaks, in one file per area.
///
/// A break follows an empty line. Its first line is `name: file: tests`. Then come, marked as in a
/// diff, a text that occurs once in the file, and its replacement, which compiles and is wrong. The
/// tests are `lib` or files in the `tests` folder of the file's package, or of the package after
/// `in`.
const AREAS: [&str; 6] = [
    include_str!("mutants/values.txt"),
    include_str!("mutants/loop.txt"),
    include_str!("mutants/launch.txt"),
    include_str!("mutants/children.txt"),
    include_str!("mutants/ends.txt"),
    include_str!("mutants/tokio.txt"),
];

/// The version in use. A commit that raises it does nothing else.
const CARGO_MUTANTS: &str = "27.1.0";

/// The pure cores, and the packages whose tests cover them.
const CORES: [(&str, &[&str]); 3] = [
    (
        "procession-core",
        &[
            "crates/core/src/write_queue.rs",
            "crates/core/src/level.rs",
            "crates/core/src/pipe_growth.rs",
        ],
    ),
    (
        "procession-protocol",
        &[
            "crates/protocol/src/lifecycle.rs",
            "crates/protocol/src/lifecycle/pipes.rs",
            "crates/protocol/src/connection/lifecycle.rs",
            "crates/protocol/src/connection/demand.rs",
            "crates/protocol/src/line_receiver.rs",
            "crates/protocol/src/terminator.rs",
            "crates/protocol/src/terminator/calls.rs",
        ],
    ),
    ("procession-process-transport", &["crates/process-transport/src/fd_plan.rs"]),
];

/// The most seconds that the built tests of one break may take.
const MOST_SECONDS: &str = "180";

/// The most seconds for the tests of a core, which usually take a few.
const MOST_CORE_SECONDS: &str = "40";

/// The exit code of cargo-mutants if tests hung, even if it also missed a mutation. A hang counts
/// as noticed.
const MUTANTS_HUNG: i32 = 3;
/// The exit code of cargo-mutants if it missed a mutation.
const MUTANTS_MISSED: i32 = 2;

/// One broken behaviour.
struct Break {
    /// The wrong behaviour.
    name: &'static str,
    /// The path from the root.
    file: &'static str,
    from: String,
    to: String,
    targets: Targets,
}

/// A package and some of its test targets.
type Targets = (String, Vec<&'static str>);

/// The tests that fail because of a break. If there are none, [`NO_TEST`] or [`NOT_BUILT`].
type Noticed = Result<String, &'static str>;

/// No test failed.
const NO_TEST: &str = "NO TEST";
/// The broken code does not compile, so this is no break.
const NOT_BUILT: &str = "NOT BUILT";

/// Tries every break, or those that the command line names.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let wanted = arguments();
    if wanted == ["--cores"] {
        return break_cores(sh);
    }
    let mut chosen = breaks()?;
    chosen.retain(|each| wanted.is_empty() || wanted.iter().any(|name| name == each.name));
    ensure!(!chosen.is_empty(), "no such break: {}", wanted.join(", "));
    let root = sh.current_dir();
    let tree = root.join("target").join("mutants").join("tree");
    copy_tree(sh, &tree)?;
    let _dir = sh.push_dir(&tree);
    let _target =
        sh.push_env("CARGO_TARGET_DIR", root.join("target").join("mutants").join("build"));
    let _quiet = sh.push_env("RUST_BACKTRACE", "0");
    // Each combination of targets runs once.
    let all: BTreeSet<&Targets> = chosen.iter().map(|each| &each.targets).collect();
    for targets in all {
        passes_unbroken(targets, &run_tests(sh, targets)?)?;
    }
    let mut missed = Vec::new();
    for each in &chosen {
        let noticed = try_break(sh, each)?;
        println!("{:<34} {}", each.name, shown(&noticed));
        missed.extend(noticed.is_err().then_some(each.name));
    }
    println!("\n{} breaks, {} noticed", chosen.len(), chosen.len() - missed.len());
    ensure!(missed.is_empty(), "not noticed: {}", missed.join(", "));
    Ok(())
}

/// Returns all breaks.
fn breaks() -> Result<Vec<Break>> {
    let blocks = AREAS.into_iter().flat_map(|area| area.trim().split("\n\n").skip(1));
    blocks.map(|block| parse(block).with_context(|| format!("no break: {block}"))).collect()
}

fn parse(block: &'static str) -> Option<Break> {
    let (head, texts) = block.split_once('\n')?;
    let [name, file, tests] = head.split(": ").collect::<Vec<_>>()[..] else { return None };
    let folder = file.strip_prefix("crates/")?.split('/').next()?;
    let usual = format!("procession-{folder}");
    let (tests, package) = match tests.split_once(" in ") {
        Some((tests, package)) => (tests, package.to_owned()),
        None => (tests, usual),
    };
    let text = |mark| {
        let lines = texts.lines().filter_map(|line| line.strip_prefix(mark));
        lines.collect::<Vec<_>>().join("\n")
    };
    let targets = (package, tests.split(' ').collect());
    Some(Break { name, file, from: text('-'), to: text('+'), targets })
}

/// Has cargo-mutants break the cores, in copies of the tree. A mutation that no test notices is an
/// error.
fn break_cores(sh: &Shell) -> Result<()> {
    let tool = tool::installed(sh, "cargo-mutants", CARGO_MUTANTS)?;
    let mut missed: Vec<String> = Vec::new();
    for (package, files) in CORES {
        let files: Vec<&str> = files.iter().flat_map(|file| ["--file", file]).collect();
        let output = format!("target/mutants/{package}");
        sh.create_dir(&output)?;
        let options = ["--timeout", MOST_CORE_SECONDS, "--output", &output, "--no-shuffle"];
        // Only the library's own tests and its laws run here. Tests with children have the breaks
        // above.
        let tests = match package {
            "procession-process-transport" => vec!["--", "--lib", "--test", "fd_plan_props"],
            _ => vec![],
        };
        let command =
            cmd!(sh, "{tool} mutants --package {package} {files...} {options...} {tests...}");
        match Command::from(command).status()?.code() {
            // The code for a hang does not say whether a mutation was missed too.
            Some(0 | MUTANTS_HUNG | MUTANTS_MISSED) => {}
            other => bail!("cargo-mutants ended with {other:?}"),
        }
        let not_noticed = sh.read_file(format!("{output}/mutants.out/missed.txt"))?;
        missed.extend(not_noticed.lines().map(str::to_owned));
    }
    ensure!(missed.is_empty(), "not noticed:\n{}", missed.join("\n"));
    Ok(())
}

/// Copies the tracked and the new files, without build output.
fn copy_tree(sh: &Shell, tree: &Path) -> Result<()> {
    sh.remove_path(tree)?;
    for name in tree::listed(sh)? {
        let to = tree.join(&name);
        sh.create_dir(to.parent().unwrap_or(tree))?;
        sh.copy_file(&name, &to).with_context(|| format!("a copy of {}", name.display()))?;
    }
    Ok(())
}

fn shown(noticed: &Noticed) -> &str {
    noticed.as_deref().unwrap_or_else(|missed| missed)
}

/// Fails if a test fails without any break, because it would seem to notice every break.
fn passes_unbroken((package, tests): &Targets, noticed: &Noticed) -> Result<()> {
    let is_good = *noticed == Err(NO_TEST);
    ensure!(is_good, "unbroken, {package} fails ({}): {}", tests.join(", "), shown(noticed));
    Ok(())
}

/// Makes one break, runs its tests, and restores the text.
fn try_break(sh: &Shell, each: &Break) -> Result<Noticed> {
    let source = sh.read_file(each.file)?;
    let is_one = source.matches(&each.from).count() == 1;
    ensure!(is_one, "{}: its text does not occur exactly once in {}", each.name, each.file);
    sh.write_file(each.file, source.replacen(&each.from, &each.to, 1))?;
    let result = run_tests(sh, &each.targets);
    sh.write_file(each.file, source)?;
    result
}

fn run_tests(sh: &Shell, (package, tests): &Targets) -> Result<Noticed> {
    let targets: Vec<&str> = tests
        .iter()
        .flat_map(|test| if *test == "lib" { vec!["--lib"] } else { vec!["--test", test] })
        .collect();
    let targets = targets.as_slice();
    let built = cmd!(sh, "cargo test --offline -q -p {package} {targets...} --no-run")
        .quiet()
        .ignore_status()
        .ignore_stderr()
        .output()?;
    if !built.status.success() {
        return Ok(Err(NOT_BUILT));
    }
    let output = cmd!(
        sh,
        "timeout -k 5 {MOST_SECONDS} cargo test --offline -p {package} {targets...} --no-fail-fast"
    )
    .quiet()
    .ignore_status()
    .ignore_stderr()
    .output()?;
    if output.status.success() {
        return Ok(Err(NO_TEST));
    }
    let tests = failed(&String::from_utf8_lossy(&output.stdout));
    Ok(Ok(if tests.is_empty() { "the tests did not end".to_owned() } else { tests }))
}

/// Returns the tests that the harness reports as failed.
fn failed(output: &str) -> String {
    let lines = output.lines().filter_map(|line| line.strip_prefix("test "));
    let tests: BTreeSet<_> = lines.filter_map(|line| line.strip_suffix(" ... FAILED")).collect();
    tests.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_break_fits_the_source_once_and_has_tests_and_a_name_of_its_own() {
        let sh = crate::shell_at_root().unwrap();
        let breaks = breaks().unwrap();
        for each in &breaks {
            let source = sh.read_file(each.file).unwrap();
            assert_eq!(source.matches(&each.from).count(), 1, "{} in {}", each.name, each.file);
            assert_ne!(each.from, each.to, "{}", each.name);
            let (package, tests) = &each.targets;
            let folder = package.strip_prefix("procession-").unwrap_or(package);
            for test in tests.iter().filter(|test| **test != "lib") {
                let file = format!("crates/{folder}/tests/{test}.rs");
                assert!(sh.path_exists(&file), "{}: {file}", each.name);
            }
        }
        let names: BTreeSet<&str> = breaks.iter().map(|each| each.name).collect();
        assert_eq!(names.len(), breaks.len());
        assert!(names.len() >= 90, "{}", names.len());
    }

    #[test]
    fn a_break_is_read_as_it_is_written() {
        let found = parse("a-b: crates/x/src/c.rs: lib d in e\n-  f\n-g\n+h").unwrap();
        assert_eq!((found.name, found.file), ("a-b", "crates/x/src/c.rs"));
        assert_eq!((found.from.as_str(), found.to.as_str()), ("  f\ng", "h"));
        assert_eq!(found.targets, ("e".to_owned(), vec!["lib", "d"]));
        let found = parse("a: crates/x/src/c.rs: d\n-f").unwrap();
        assert_eq!((found.to.as_str(), found.targets.0.as_str()), ("", "procession-x"));
    }

    #[test]
    fn a_test_that_fails_unbroken_ends_the_task() {
        let passes = |noticed| passes_unbroken(&("some".to_owned(), vec!["lib"]), &noticed);
        let error = passes(Ok("a::b".to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "unbroken, some fails (lib): a::b");
        assert!(passes(Err(NOT_BUILT)).is_err() && passes(Err(NO_TEST)).is_ok());
    }

    #[test]
    fn failed_tests_are_found_in_the_harness_output() {
        let output = "test a::b ... ok\ntest c ... FAILED\ntest c - should panic ... FAILED\n";
        assert_eq!(failed(output), "c, c - should panic");
    }
}
