//! Builds the test programs of the suites, and lists them.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::machine::Architecture;

/// The packages whose tests meet the kernel.
const SUITES: [&str; 3] = ["process-transport", "reactor", "utils"];

/// The programs that cargo built.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    pub(crate) tests: Vec<Test>,
    /// Programs that tests start, at the paths that are compiled into the tests.
    pub(crate) helpers: Vec<PathBuf>,
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

/// Builds the tests for an architecture: all, or those in the `chosen` files. Those for this
/// computer's own architecture are the ones of `cargo test`.
pub(crate) fn build(
    sh: &Shell,
    architecture: &Architecture,
    chosen: &[String],
) -> Result<Programs> {
    let Architecture { target, linker, .. } = architecture;
    let cross = !target.starts_with(std::env::consts::ARCH);
    let installed = cmd!(sh, "rustup target list --installed").quiet().read()?;
    ensure!(installed.lines().any(|line| line == *target), "missing: rustup target add {target}");
    let variable = format!("CARGO_TARGET_{}_LINKER", target.replace('-', "_").to_uppercase());
    let packages = SUITES.iter().flat_map(|suite| ["-p".into(), format!("procession-{suite}")]);
    let mut build = cmd!(sh, "cargo test --no-run --locked").args(packages);
    if chosen.is_empty() {
        build = build.arg("--tests");
    }
    for test in chosen {
        build = build.args(["--test", test]);
    }
    if cross {
        build = build.args(["--target", target]).env(variable, linker);
    }
    let messages = build.args(["--message-format", "json-render-diagnostics"]).read()?;
    let programs = listed(&messages);
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
    }
}
