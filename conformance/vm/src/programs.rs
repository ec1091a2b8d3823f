//! Builds the test programs of the suites, and lists them.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::machine::Architecture;

/// The packages whose tests meet the kernel.
const SUITES: [&str; 3] = ["process-transport", "reactor", "utils"];

/// Files that do not run unless `--test` names them: the suite, the file and the reason. The reason
/// is below the table.
const LEFT_OUT: [(&str, &str, &str); 2] = [
    ("process-transport", "fd_plan_props", "it asks the kernel nothing"),
    ("utils", "lists", "it compares files of the sources, which are not there"),
];

/// The programs that cargo built.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    pub(crate) tests: Vec<Test>,
    /// Programs that tests start, at the paths that are compiled into the tests.
    pub(crate) helpers: Vec<PathBuf>,
    left_out: Vec<(Test, &'static str)>,
}

/// A program with tests.
#[derive(Debug)]
pub(crate) struct Test {
    /// One of [`SUITES`].
    pub(crate) suite: &'static str,
    /// The name of its file, without the extension.
    pub(crate) name: String,
    /// The folder that cargo runs it in.
    pub(crate) folder: PathBuf,
    pub(crate) program: PathBuf,
}

impl Programs {
    /// Returns lines for a report: which of the `relevant` tests are to run, and which are left out.
    pub(crate) fn announced(&self, relevant: impl Fn(&Test) -> bool) -> Vec<String> {
        let left_out = self.left_out.iter().filter(|(test, _)| relevant(test));
        let left_out = left_out.map(|(Test { suite, name, .. }, reason)| {
            format!("@@ not-run {suite} {name}: {reason}")
        });
        let listed = self.tests.iter().filter(|test| relevant(test));
        let listed = listed.map(|Test { suite, name, .. }| format!("@@ listed {suite} {name}"));
        left_out.chain(listed).collect()
    }

    /// Takes away the tests that are left out of a run of all.
    fn leave_out(&mut self, files: &[(&str, &str, &'static str)]) {
        let (mut kept, mut left_out) = (Vec::new(), Vec::new());
        for test in self.tests.drain(..) {
            let is_it =
                |(suite, name, _): &&(&str, &str, _)| test.suite == *suite && test.name == *name;
            match files.iter().find(is_it) {
                Some((.., reason)) => left_out.push((test, *reason)),
                None => kept.push(test),
            }
        }
        self.tests = kept;
        self.left_out = left_out;
    }
}

/// Fails if the compiler lacks an architecture. The error has the command that installs it.
pub(crate) fn needs(sh: &Shell, architecture: &Architecture) -> Result<()> {
    let target = architecture.target;
    let installed = cmd!(sh, "rustup target list --installed").quiet().read()?;
    ensure!(installed.lines().any(|line| line == target), "missing: rustup target add {target}");
    Ok(())
}

/// Builds the tests for an architecture: all, or those in the `chosen` files.
///
/// An emulated processor is slow, so the compiler optimizes a little. The assertions are those of `cargo
/// test`.
pub(crate) fn build(
    sh: &Shell,
    architecture: &Architecture,
    chosen: &[String],
) -> Result<Programs> {
    let Architecture { target, linker, .. } = architecture;
    let cross = !target.starts_with(std::env::consts::ARCH);
    let variable = format!("CARGO_TARGET_{}_LINKER", target.replace('-', "_").to_uppercase());
    let packages = SUITES.iter().flat_map(|suite| ["-p".into(), format!("procession-{suite}")]);
    let mut build = cmd!(sh, "cargo test --no-run --locked").args(packages);
    if chosen.is_empty() {
        build = build.arg("--tests");
    }
    // The unit tests of a library have its name, and cargo takes the option for them once.
    let (libraries, files): (Vec<&String>, Vec<&String>) =
        chosen.iter().partition(|test| test.starts_with("procession_"));
    if !libraries.is_empty() {
        build = build.arg("--lib");
    }
    for test in files {
        build = build.args(["--test", test]);
    }
    if cross {
        build = build.args(["--target", target]).env(variable, linker);
    }
    let build = build
        .args(["--target-dir", "target/vm/build"])
        .envs([("CARGO_PROFILE_DEV_OPT_LEVEL", "1"), ("CARGO_INCREMENTAL", "0")]);
    let messages = build.args(["--message-format", "json-render-diagnostics"]).read()?;
    let mut programs = listed(&messages);
    if chosen.is_empty() {
        programs.leave_out(&LEFT_OUT);
    } else {
        programs.tests.retain(|test| chosen.contains(&test.name));
    }
    ensure!(!programs.tests.is_empty(), "cargo names no test program");
    Ok(programs)
}

/// Reads cargo's messages.
fn listed(messages: &str) -> Programs {
    let mut programs = Programs::default();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    for message in messages {
        let Some(program) = message["executable"].as_str().map(PathBuf::from) else { continue };
        if message["profile"]["test"] != true {
            programs.helpers.push(program);
            continue;
        }
        let manifest = message["manifest_path"].as_str().unwrap_or_default();
        let folder = Path::new(manifest).parent().unwrap_or(Path::new("/")).to_owned();
        let suite = SUITES.into_iter().find(|suite| folder.ends_with(suite));
        let name = message["target"]["name"].as_str();
        if let (Some(suite), Some(name)) = (suite, name) {
            programs.tests.push(Test { suite, name: name.to_owned(), folder, program });
        }
    }
    programs.tests.sort_by(|a, b| (a.suite, &a.name).cmp(&(b.suite, &b.name)));
    programs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_with_tests_belong_to_a_suite_and_the_others_are_helpers() {
        let message = |test: bool, name: &str| {
            let target = format!(r#""target":{{"name":"{name}"}},"profile":{{"test":{test}}}"#);
            format!(
                r#"{{"manifest_path":"/r/crates/reactor/Cargo.toml","executable":"/t/{name}",{target}}}"#
            )
        };
        let messages = [message(true, "timers"), message(false, "probe"), "{}".to_owned()];
        let programs = listed(&messages.join("\n"));
        assert_eq!(programs.helpers, [Path::new("/t/probe")]);
        let [test] = &programs.tests[..] else { panic!("{programs:?}") };
        assert_eq!((test.suite, &*test.name), ("reactor", "timers"));
        assert_eq!(test.folder, Path::new("/r/crates/reactor"));
        assert_eq!(programs.announced(|_| true), ["@@ listed reactor timers"]);
        let mut programs = programs;
        programs.leave_out(&[("reactor", "timers", "it has no clock")]);
        assert!(programs.tests.is_empty());
        let announced = programs.announced(|_| true);
        assert_eq!(announced, ["@@ not-run reactor timers: it has no clock"]);
    }
}
