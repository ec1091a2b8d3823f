//! Runs each line of the standard input as a command, with a limit on how many run at once:
//! `parallel [-P N]`.
//!
//! It is like `xargs -P`, but each line is a whole command, for `sh`. N is 4 by default. The output
//! of a command is printed when the command, and everything that it left in the background, has
//! ended; therefore outputs do not mix. If an output has more than 64 MiB, only its beginning is
//! printed, and that counts as a failure. On a terminal a bar shows the progress. Otherwise the
//! standard error has a line for each command. The exit status is 1 if a command failed. SIGINT,
//! SIGTERM and SIGHUP end the running commands.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use procession::prelude::*;
use procession::{OutputError, Progress, run_all};

const PARALLELISM: usize = 4;
const USAGE: &str = "usage: parallel [-P N]";

/// The progress display: a bar for a person, or lines for a log.
enum Display {
    Bar(ProgressBar),
    Lines,
}

impl Display {
    fn new(total: usize) -> Result<Self> {
        if !io::stderr().is_terminal() {
            return Ok(Self::Lines);
        }
        let bar = ProgressBar::new(u64::try_from(total)?);
        bar.set_style(ProgressStyle::with_template("[{bar:40}] {pos}/{len} {msg}")?);
        bar.tick();
        Ok(Self::Bar(bar))
    }

    fn progress(&self, now: Progress) {
        if let Self::Bar(bar) = self {
            bar.set_message(format!("{} running, {} failed", now.running, now.failed));
            bar.set_position(u64::try_from(now.done + now.failed).unwrap_or(u64::MAX));
        }
    }

    fn result(&self, command: &str, result: &Result<Outcome, Failed<OutputError>>) {
        match self {
            Self::Bar(bar) => bar.suspend(|| {
                print_output(result);
                if let Err(error) = result {
                    eprintln!("{error}");
                }
                print_truncation(command, result);
            }),
            Self::Lines => {
                print_output(result);
                match result {
                    Ok(outcome) => eprintln!("{command}: {:.2} s", outcome.after.as_secs_f64()),
                    Err(error) => eprintln!("{error}"),
                }
                print_truncation(command, result);
            }
        }
    }
}

/// Returns whether only a part of an output was kept.
fn is_truncated(result: &Result<Outcome, Failed<OutputError>>) -> bool {
    match result {
        Ok(outcome) => outcome.is_truncated(),
        Err(Failed::Error(
            OutputError::Failed { outcome, .. } | OutputError::Signalled { outcome, .. },
        )) => outcome.is_truncated(),
        Err(_) => false,
    }
}

fn print_truncation(command: &str, result: &Result<Outcome, Failed<OutputError>>) {
    if is_truncated(result) {
        eprintln!("{command}: its output is cut off");
    }
}

/// Prints the outputs. If the command failed, the error message has the end of its standard error.
fn print_output(result: &Result<Outcome, Failed<OutputError>>) {
    let (stdout, stderr) = match result {
        Ok(outcome) => (Some(&outcome.stdout), Some(&outcome.stderr)),
        Err(Failed::Error(error)) => (error.stdout(), None),
        Err(_) => (None, None),
    };
    // If nobody reads this, nobody can receive the error.
    io::stdout().write_all(stdout.map_or(&[], |bytes| bytes)).ok();
    io::stderr().write_all(stderr.map_or(&[], |bytes| bytes)).ok();
}

fn parallelism() -> Result<usize> {
    let mut args = std::env::args().skip(1);
    let parallelism = match args.next().as_deref() {
        None => PARALLELISM,
        Some("-P") => {
            args.next().and_then(|text| text.parse().ok()).context("-P wants a number")?
        }
        Some(_) => bail!(USAGE),
    };
    ensure!(args.next().is_none(), USAGE);
    Ok(parallelism)
}

fn run() -> Result<Stopped> {
    let parallelism = parallelism()?;
    let commands = io::stdin().lines().collect::<io::Result<Vec<_>>>();
    let mut commands = commands.context("cannot read the commands")?;
    commands.retain(|command| !command.trim().is_empty());
    let total = commands.len();
    // Wait for background processes too, so that no output is lost.
    let run = |command: &String| Run::new("sh").args(["-c", command]).drain_after_exit(None);
    let runs: Vec<_> = commands.iter().map(|command| run(command).check()).collect();

    let display = Rc::new(Display::new(total)?);
    let (on_progress, on_result) = (Rc::clone(&display), Rc::clone(&display));
    let failed = Rc::new(Cell::new(0));
    let count = Rc::clone(&failed);
    let all = run_all(runs, parallelism)
        .on_progress(move |now| on_progress.progress(now))
        .on_result(move |index, result| {
            let has_failed = result.is_err() || is_truncated(result);
            count.set(count.get() + usize::from(has_failed));
            on_result.result(&commands[index], result);
        });

    // A stop drops the future, which ends the running commands.
    let done = Reactor::new()?.run_until(async move { all.all().await.is_ok() });
    if let Display::Bar(bar) = &*display {
        bar.finish_and_clear();
    }
    match (done, failed.get()) {
        (Err(stopped), _) => {
            eprintln!("parallel: {stopped}");
            Ok(stopped)
        }
        (_, 0) => Ok(Stopped::Called),
        (_, failed) => bail!("{failed} of {total} failed"),
    }
}

fn main() -> ExitCode {
    procession_examples::end("parallel", run())
}
