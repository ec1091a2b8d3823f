//! The task `examples`: runs every example as its table says and compares what it does.
//!
//! An example is a binary or an example target of a package below `examples/`. One that hangs is
//! killed after a deadline, so that the task always ends.

use std::collections::BTreeSet;
use std::io::{self, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::example_table::{RUNS, Run};
use crate::metadata::{self, Package};

/// How long an example may be silent with its output open.
const DEADLINE: Duration = Duration::from_secs(60);

/// A target that can be run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Example {
    package: String,
    name: String,
    /// `bin` or `example`.
    kind: String,
}

/// What a run did.
struct Finished {
    status: ExitStatus,
    output: String,
    errors: String,
    in_time: bool,
}

/// Builds the examples, makes every run of the table, and compares.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let examples = examples(&metadata::packages(sh)?);
    let packages: BTreeSet<_> = examples.iter().map(|example| &example.package).collect();
    let options: Vec<_> = packages.iter().flat_map(|name| ["--package", name]).collect();
    ensure!(!options.is_empty(), "there is no example");
    cmd!(sh, "cargo build --locked --bins --examples {options...}").run()?;
    let mut problems = unlisted(&examples, RUNS);
    for run in RUNS {
        if let Some(example) = examples.iter().find(|example| example.name == run.name) {
            let found = compare(run, &finish(sh, example, run)?);
            println!("{} {}", run.title(), if found.is_empty() { "ok" } else { "FAILED" });
            problems.extend(found);
        } else {
            problems.push(format!("the table names {}, which does not exist", run.name));
        }
    }
    for problem in &problems {
        println!("{problem}");
    }
    ensure!(problems.is_empty(), "{} examples are not as the table says", problems.len());
    Ok(())
}

impl Run {
    fn title(&self) -> String {
        [&[self.name][..], self.args].concat().join(" ")
    }
}

/// Every target that can be run of the packages below `examples/`.
fn examples(packages: &[Package]) -> BTreeSet<Example> {
    let packages = packages.iter().filter(|package| package.folder.starts_with("examples"));
    let targets = packages.flat_map(|package| {
        let targets = package.targets.iter();
        let runnable = targets.filter(|target| ["bin", "example"].contains(&target.kind.as_str()));
        runnable.map(|target| Example {
            package: package.name.clone(),
            name: target.name.clone(),
            kind: target.kind.clone(),
        })
    });
    targets.collect()
}

fn unlisted(examples: &BTreeSet<Example>, runs: &[Run]) -> Vec<String> {
    let without =
        examples.iter().filter(|example| !runs.iter().any(|run| run.name == example.name));
    without.map(|example| format!("the table of runs does not name {}", example.name)).collect()
}

fn finish(sh: &Shell, example: &Example, run: &Run) -> Result<Finished> {
    let Example { package, name, kind } = example;
    // Cargo replaces itself by the example, so that a kill reaches the example.
    let args = ["run", "--quiet", "--locked", "--package", package, &format!("--{kind}"), name];
    println!("$ cargo {} -- {}", args.join(" "), run.args.join(" "));
    let mut command = Command::new("cargo");
    command.args(args).arg("--").args(run.args).current_dir(sh.current_dir());
    finish_command(&mut command, run.stdin, DEADLINE)
        .with_context(|| format!("{} cannot be run", run.title()))
}

/// Runs a command with `stdin`, and kills it when its output is open longer than `deadline`.
fn finish_command(command: &mut Command, stdin: &str, deadline: Duration) -> Result<Finished> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    feed(&mut child, stdin);
    let output = child.stdout.take().map(collect).context("no standard output")?;
    let errors = child.stderr.take().map(collect).context("no standard error")?;
    let texts = [output, errors].map(|text| text.recv_timeout(deadline));
    let in_time = texts.iter().all(Result::is_ok);
    if !in_time {
        child.kill()?;
    }
    let [output, errors] = texts.map(Result::unwrap_or_default);
    Ok(Finished { status: child.wait()?, output, errors, in_time })
}

/// Writes the input from a thread of its own, for the child may answer before it has read all.
fn feed(child: &mut Child, stdin: &str) {
    let text = stdin.to_owned();
    if let Some(mut pipe) = child.stdin.take() {
        // A child that does not read its input is no mistake: its output is what counts.
        thread::spawn(move || pipe.write_all(text.as_bytes()).or(io::Result::Ok(())));
    }
}

/// Reads a pipe to its end in a thread, which sends the whole text.
fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if pipe.read_to_end(&mut bytes).is_ok() {
            // Nobody listens any more once the deadline has passed.
            sender.send(String::from_utf8_lossy(&bytes).into_owned()).ok();
        }
    });
    receiver
}

/// Tells how a run differs from its row.
fn compare(run: &Run, finished: &Finished) -> Vec<String> {
    let mut problems = Vec::new();
    if !finished.in_time {
        problems.push("did not end in time".to_owned());
    }
    if finished.status.code() != Some(run.status) {
        problems.push(format!("ended with {}, not status {}", finished.status, run.status));
    }
    let mut lines = finished.output.lines();
    for wanted in run.lines {
        if !lines.any(|line| line == *wanted) {
            problems.push(format!("did not print `{wanted}` where it belongs"));
        }
    }
    let errors = finished.errors.lines().count();
    if errors != run.error_lines {
        problems.push(format!("wrote {errors} lines of errors, not {}", run.error_lines));
    }
    if !problems.is_empty() {
        problems.push(format!("wrote\n{}{}", finished.output, finished.errors));
    }
    problems.into_iter().map(|problem| format!("{}: {problem}", run.title())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Target;

    const RUN: Run = Run {
        name: "demo",
        args: &["x"],
        stdin: "in\n",
        status: 3,
        lines: &["in", "end"],
        error_lines: 1,
    };

    fn shell(script: &str, deadline: Duration) -> Finished {
        let mut command = Command::new("sh");
        finish_command(command.args(["-c", script]), RUN.stdin, deadline).unwrap()
    }

    #[test]
    fn a_run_as_its_row_says_passes() {
        let finished = shell("cat; echo between; echo end; echo oops >&2; exit 3", DEADLINE);
        assert_eq!(compare(&RUN, &finished), [""; 0]);
    }

    #[test]
    fn each_difference_is_told() {
        let finished = shell("echo end; echo in", DEADLINE);
        let problems = compare(&RUN, &finished).join("\n");
        for part in ["not status 3", "`end`", "0 lines of errors", "demo x: wrote\nend\nin"] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
    }

    #[test]
    fn a_run_that_hangs_is_killed_and_told() {
        let finished = shell("exec sleep 100", Duration::from_millis(20));
        assert!(compare(&RUN, &finished)[0].contains("did not end in time"));
        assert_eq!(finished.status.code(), None);
    }

    #[test]
    fn an_example_without_a_row_is_told() {
        let target =
            |name: &str, kind: &str| Target { name: name.to_owned(), kind: kind.to_owned() };
        let package = |folder: &str, targets| Package {
            name: "p".to_owned(),
            folder: folder.into(),
            targets,
            ..Package::default()
        };
        let packages = [
            package("examples", vec![target("demo", "example"), target("p", "lib")]),
            package("examples/one", vec![target("one", "bin")]),
            package("crates/core", vec![target("other", "example")]),
        ];
        let found = unlisted(&examples(&packages), &[RUN]);
        assert_eq!(found, ["the table of runs does not name one"]);
    }
}
