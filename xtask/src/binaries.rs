//! Runs test binaries side by side. `cargo test` runs one after another, and most of them only wait
//! for children and timers.
//!
//! The output of a binary is printed when it has ended, so outputs do not mix. A test file with a
//! line `//! Alone: ` and the reason has no neighbours.

use std::fs::{self, File};
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Result, ensure};
use serde_json::Value;
use xshell::{Cmd, Shell, cmd};

/// The most binaries that run at once. The harness runs the tests of each on as many threads as
/// there are processors.
const AT_ONCE: usize = 3;

/// The mark of a file whose tests run alone.
const ALONE: &str = "//! Alone: ";

/// A test binary.
struct Binary {
    source: PathBuf,
    command: Command,
    /// The file that its output goes to. A pipe could stay open if a child of a test lives on.
    output: PathBuf,
}

/// Builds the tests that a call of `cargo test` names, and runs those whose source is
/// wanted. All of them run, even after one has failed.
pub(crate) fn run(
    sh: &Shell,
    cargo_test: Cmd<'_>,
    is_wanted: impl Fn(&Path) -> bool,
) -> Result<()> {
    let messages = cargo_test.args(["--no-run", "--message-format", "json-render-diagnostics"]);
    let mut binaries = binaries(sh, &messages.read()?)?;
    binaries.retain(|binary| is_wanted(&binary.source));
    let (alone, beside): (Vec<_>, Vec<_>) = binaries.into_iter().partition(Binary::is_alone);
    let count = beside.len() + alone.len();
    ensure!(count > 0, "cargo names no test binary");
    let mut failed = run_all(beside, AT_ONCE);
    failed.extend(run_all(alone, 1));
    println!("\n{count} test binaries, {} failed", failed.len());
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

/// Returns the test binaries among cargo's messages, ready to run as cargo would run them.
fn binaries(sh: &Shell, messages: &str) -> Result<Vec<Binary>> {
    let folder = sh.create_dir("target/test-output")?;
    let messages = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
    let binary = |message: Value| {
        let program =
            message["executable"].as_str().filter(|_| message["profile"]["test"] == true)?;
        let package = Path::new(message["manifest_path"].as_str()?).parent()?;
        let mut command = Command::from(cmd!(sh, "{program}"));
        command.current_dir(package).env("CARGO_MANIFEST_DIR", package);
        let output = folder.join(Path::new(program).file_name()?).with_extension("txt");
        Some(Binary { source: message["target"]["src_path"].as_str()?.into(), command, output })
    };
    let mut binaries: Vec<_> = messages.filter_map(binary).collect();
    binaries.sort_by(|a, b| a.source.cmp(&b.source));
    Ok(binaries)
}

/// Runs the binaries, so many at once, and returns the sources of those that fail.
fn run_all(binaries: Vec<Binary>, at_once: usize) -> Vec<String> {
    let queue = Mutex::new(binaries.into_iter());
    let next = || queue.lock().expect("no thread panics").next();
    let failures = || {
        let failure = |mut binary: Binary| {
            let source = binary.source.display().to_string();
            let error = binary.run().err()?;
            println!("{source}: {error:#}");
            Some(source)
        };
        std::iter::from_fn(next).filter_map(failure).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(failures)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no thread panics")).collect()
    })
}

impl Binary {
    fn is_alone(&self) -> bool {
        let text = fs::read_to_string(&self.source).unwrap_or_default();
        text.lines().any(|line| line.starts_with(ALONE))
    }

    /// Runs it to its end and prints the output.
    fn run(&mut self) -> Result<()> {
        let output = File::create(&self.output)?;
        let status = self.command.stdout(output.try_clone()?).stderr(output).status()?;
        let mut text = format!("\nRunning {}\n", self.source.display()).into_bytes();
        text.extend(fs::read(&self.output)?);
        stdout().lock().write_all(&text)?;
        ensure!(status.success(), "{status}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_binary_runs_in_the_folder_of_its_package_and_a_failure_is_named() {
        let message = |script: &str, test: bool| {
            let target =
                format!(r#""target":{{"src_path":"{script}"}},"profile":{{"test":{test}}}"#);
            format!(r#"{{"manifest_path":"/usr/Cargo.toml","executable":"/bin/pwd",{target}}}"#)
        };
        let sh = crate::shell_at_root().unwrap();
        let messages = [&message("a", true), &message("b", true), &message("c", false), "{}"];
        let mut binaries = binaries(&sh, &messages.join("\n")).unwrap();
        assert_eq!(binaries.len(), 2);
        binaries[1].command.arg("--wrong");
        let output = binaries[0].output.clone();
        binaries[1].output.set_extension("other");
        assert_eq!(run_all(binaries, 2), ["b"]);
        assert_eq!(fs::read_to_string(output).unwrap(), "/usr\n");
    }
}
