//! Runs each line of the standard input as a command, with a limit on how many run at once:
//! `parallel [-P N] [--hosts FILE [-F FILE]]`.
//!
//! It is like `xargs -P`, but each line is a whole command, for `sh`. N is 4 by default.
//!
//! With `--hosts`, the commands run on other machines, by `ssh`. Each line of the file has the name of a
//! host, and how many commands run there at once if that is not N. `-F` names a configuration for `ssh`.
//! A command whose connection is lost is reported, since it may have run. The output
//! of a command is printed when the command, and everything that it left in the background, has
//! ended; therefore outputs do not mix. If an output has more than 64 MiB, only its beginning is
//! printed, and that counts as a failure. On a terminal a bar shows the progress. Otherwise the
//! standard error has a line for each command. The exit status is 1 if a command failed. SIGINT,
//! SIGTERM and SIGHUP end the running commands.

use std::cell::{Cell, OnceCell};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use procession::prelude::*;
use procession::{
    HostProgress, HostState, Hosts, OutputError, Places, Progress, RunAll, Ssh, run_all,
};

const PARALLELISM: usize = 4;
const USAGE: &str = "usage: parallel [-P N] [--hosts FILE [-F FILE]]";

/// The progress display: bars for a person, or lines for a log.
enum Display {
    Bars { all: ProgressBar, bars: MultiProgress, hosts: OnceCell<Vec<ProgressBar>> },
    Lines,
}

impl Display {
    fn new(total: usize) -> Result<Self> {
        if !io::stderr().is_terminal() {
            return Ok(Self::Lines);
        }
        let bars = MultiProgress::new();
        let all = bars.add(ProgressBar::new(u64::try_from(total)?));
        all.set_style(ProgressStyle::with_template("[{bar:40}] {pos}/{len} {msg}")?);
        all.tick();
        Ok(Self::Bars { all, bars, hosts: OnceCell::new() })
    }

    fn progress(&self, now: Progress) {
        if let Self::Bars { all, .. } = self {
            all.set_message(format!("{} running, {} failed", now.running, now.failed));
            all.set_position(u64::try_from(now.done + now.failed).unwrap_or(u64::MAX));
        }
    }

    /// Shows a bar for each host: how many of its slots are taken.
    fn hosts(&self, now: &[HostProgress]) {
        let Self::Bars { bars, hosts, .. } = self else { return };
        let bar = |host: &HostProgress| {
            let bar = bars.add(ProgressBar::new(u64::try_from(host.slots).unwrap_or(u64::MAX)));
            let style = ProgressStyle::with_template("{prefix:>16} [{bar:22}] {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.with_prefix(host.name.clone())
        };
        for (host, bar) in now.iter().zip(hosts.get_or_init(|| now.iter().map(bar).collect())) {
            let state = match &host.state {
                HostState::SetAside { reason } => format!(", set aside: {reason}"),
                HostState::Connecting => ", connecting".to_owned(),
                _ => String::new(),
            };
            bar.set_position(u64::try_from(host.running).unwrap_or(u64::MAX));
            bar.set_message(format!("{} done, {} failed{state}", host.done, host.failed));
        }
    }

    fn result(&self, command: &str, result: &Result<Outcome, Failed<OutputError>>) {
        match self {
            Self::Bars { bars, .. } => bars.suspend(|| {
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

    fn clear(&self) {
        if let Self::Bars { bars, .. } = self {
            bars.clear().ok(); // it is only a display
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

#[derive(Default)]
struct Args {
    parallelism: Option<usize>,
    hosts: Option<String>,
    config: Option<String>,
}

fn args() -> Result<Args> {
    let mut all = Args::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-P" => {
                let number = args.next().and_then(|text| text.parse().ok());
                all.parallelism = Some(number.context("-P wants a number")?);
            }
            "--hosts" => all.hosts = Some(args.next().context(USAGE)?),
            "-F" => all.config = Some(args.next().context(USAGE)?),
            _ => bail!(USAGE),
        }
    }
    ensure!(all.config.is_none() || all.hosts.is_some(), USAGE);
    Ok(all)
}

/// Reads the hosts of a file.
fn hosts(path: &str, slots: usize, config: Option<&str>) -> Result<Hosts> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let host = |line: &str| {
        let (name, count) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let slots = if count.is_empty() { Ok(slots) } else { count.trim().parse() };
        let ssh = Ssh::new(name).slots(slots.with_context(|| format!("{line}: not a number"))?);
        Ok(match config {
            Some(config) => ssh.config_file(config),
            None => ssh,
        })
    };
    let hosts = lines.filter(|line| !line.is_empty()).map(host).collect::<Result<Vec<_>>>()?;
    ensure!(!hosts.is_empty(), "{path} names no host");
    Ok(Hosts::new(hosts))
}

/// Makes the batch of all commands.
fn batch(commands: &[String]) -> Result<RunAll> {
    let args = args()?;
    let parallelism = args.parallelism.unwrap_or(PARALLELISM);
    let places = match &args.hosts {
        Some(path) => Places::from(hosts(path, parallelism, args.config.as_deref())?),
        None => Places::from(parallelism),
    };
    // Wait for background processes too, so that no output is lost.
    let run = |command: &String| Run::new("sh").args(["-c", command]).drain_after_exit(None);
    let runs = commands.iter().map(|command| run(command).check());
    Ok(run_all(runs, places))
}

fn run() -> Result<Stopped> {
    args()?;
    let commands = io::stdin().lines().collect::<io::Result<Vec<_>>>();
    let mut commands = commands.context("cannot read the commands")?;
    commands.retain(|command| !command.trim().is_empty());
    let total = commands.len();

    let display = Rc::new(Display::new(total)?);
    let [on_progress, on_hosts, on_result] = [(); 3].map(|()| Rc::clone(&display));
    let failed = Rc::new(Cell::new(0));
    let count = Rc::clone(&failed);
    let all = batch(&commands)?
        .on_progress(move |now| on_progress.progress(now))
        .on_hosts(move |now| on_hosts.hosts(now))
        .on_result(move |index, result| {
            let has_failed = result.is_err() || is_truncated(result);
            count.set(count.get() + usize::from(has_failed));
            on_result.result(&commands[index], result);
        });

    // A stop drops the future, which ends the running commands.
    let done = Reactor::new()?.run_until(async move { all.all().await.is_ok() });
    display.clear();
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
