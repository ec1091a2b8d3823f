//! Runs the tests of procession on other kernels and on another processor: `cargo xtask vm`.
//!
//! Each machine is a kernel of a Debian release in qemu-system, with an initramfs that holds the
//! programs of the tests and what they start. Another row runs the tests of spawning in qemu's user
//! mode. docs/conformance.md has the table, and CONTRIBUTING.md says what it leaves out.
//!
//! `--only NAME` chooses machines by a part of their name, and `--test NAME` tests by the name of
//! their file; both may be given more than once. The results of `--test` are added to those of the last
//! run of all, in which they replace older ones. `--table` runs nothing: it prints the table of what the
//! machines said last. Everything that is downloaded, built or written is below target/vm.

mod debian;
mod image;
mod machine;
mod programs;
mod report;
#[path = "../../../xtask/src/spawn_tests.rs"]
mod spawn_tests;
mod user_mode;

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::machine::{ARM, Architecture, KERNELS, Kernel, Machine, X86};
use crate::report::Report;

/// What the command line chooses. An empty list stands for all.
#[derive(Debug, Default)]
struct Choice {
    machines: Vec<String>,
    tests: Vec<String>,
    only_table: bool,
}

impl Choice {
    fn of_command_line() -> Result<Self> {
        let mut choice = Self::default();
        let mut words = env::args().skip(1);
        while let Some(option) = words.next() {
            if option == "--table" {
                choice.only_table = true;
                continue;
            }
            let value = words.next().with_context(|| format!("{option} takes a value"))?;
            match &*option {
                "--only" => choice.machines.push(value),
                "--test" => choice.tests.push(value),
                _ => bail!("the options are --only MACHINE, --test FILE and --table"),
            }
        }
        Ok(choice)
    }

    fn has_machine(&self, name: &str) -> bool {
        self.machines.is_empty() || self.machines.iter().any(|part| name.contains(part))
    }

    fn has_user_mode(&self, architecture: &Architecture) -> bool {
        self.has_machine(&architecture.machine_name("qemu-user"))
    }

    fn has_rows(&self, architecture: &Architecture) -> bool {
        !kernels(architecture, self).is_empty() || self.has_user_mode(architecture)
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let choice = Choice::of_command_line()?;
    let sh = Shell::new()?;
    let manifest = env::var_os("CARGO_MANIFEST_DIR").context("cargo runs this program")?;
    let root = Path::new(&manifest).ancestors().nth(2).context("this package is below the root")?;
    sh.change_dir(root);
    let chosen = [X86, ARM].into_iter().filter(|architecture| choice.has_rows(architecture));
    let chosen: Vec<Architecture> = chosen.collect();
    ensure!(!chosen.is_empty(), "no machine has such a name");
    let mut errors = Vec::new();
    if !choice.only_table {
        machine::needs()?;
        for architecture in &chosen {
            programs::needs(&sh, architecture)?;
        }
        // What cannot run is no reason to print nothing about what has run for hours.
        let runs = chosen.iter().map(|architecture| on_architecture(&sh, architecture, &choice));
        errors.extend(runs.filter_map(Result::err));
    }
    let mut reports = Vec::new();
    for architecture in &chosen {
        reports.extend(last_reports(&sh, architecture, &choice)?);
    }
    println!("\n{}", report::table(&reports));
    for error in &errors {
        eprintln!("error: {error:#}");
    }
    ensure!(errors.is_empty(), "some machines could not run");
    let failed = reports.iter().filter(|report| !report.is_good()).count();
    ensure!(failed == 0, "{failed} of {} machines had failures", reports.len());
    Ok(())
}

/// Boots the chosen kernels of an architecture, and runs its tests in user mode.
fn on_architecture(sh: &Shell, architecture: &Architecture, choice: &Choice) -> Result<()> {
    let programs = programs::build(sh, architecture, &choice.tests)?;
    let commit = commit(sh)?;
    let kernels = kernels(architecture, choice);
    if !kernels.is_empty() {
        let image = image::make(sh, architecture, &programs)?;
        let mut machines = Vec::new();
        for kernel in kernels {
            let file = debian::kernel(sh, kernel.suite, architecture)?;
            let name = architecture.machine_name(kernel.suite);
            let log = log(sh, &name);
            begin_log(&log, &commit, choice, &programs.announced(|_| true))?;
            machines.push(Machine { architecture, name, kernel: file, log });
        }
        machine::boot_all(&machines, &image)?;
    }
    if choice.has_user_mode(architecture) {
        let log = log(sh, &architecture.machine_name("qemu-user"));
        let announced = programs.announced(user_mode::is_of_spawning);
        begin_log(&log, &commit, choice, &announced)?;
        user_mode::run(sh, architecture, &programs, &log)?;
    }
    Ok(())
}

/// Returns the commit that the tests are built from.
fn commit(sh: &Shell) -> Result<String> {
    let commit = cmd!(sh, "git rev-parse --short HEAD").quiet().read()?;
    let changes =
        cmd!(sh, "git status --porcelain -- crates Cargo.toml Cargo.lock").quiet().read()?;
    Ok(if changes.is_empty() { commit } else { format!("{commit} with changes") })
}

/// Begins the log of a run. Results of single files are added to those of the last run of all.
fn begin_log(log: &Path, commit: &str, choice: &Choice, announced: &[String]) -> Result<()> {
    let is_whole = choice.tests.is_empty();
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(is_whole).append(!is_whole);
    let mut log = options.open(log).context("cannot write a log")?;
    writeln!(log, "@@ commit {commit}")?;
    for line in announced {
        writeln!(log, "{line}")?;
    }
    Ok(())
}

/// Returns the chosen kernels of an architecture.
fn kernels(architecture: &Architecture, choice: &Choice) -> Vec<&'static Kernel> {
    KERNELS
        .iter()
        .filter(|kernel| kernel.architectures.contains(&architecture.debian))
        .filter(|kernel| choice.has_machine(&architecture.machine_name(kernel.suite)))
        .collect()
}

/// Returns the file with the console of a machine.
fn log(sh: &Shell, machine: &str) -> PathBuf {
    sh.current_dir().join("target/vm").join(format!("{machine}.log"))
}

/// Reads what the chosen machines of an architecture said when they ran last.
fn last_reports(sh: &Shell, architecture: &Architecture, choice: &Choice) -> Result<Vec<Report>> {
    let kernels = kernels(architecture, choice).into_iter().map(|kernel| kernel.suite);
    let user_mode = choice.has_user_mode(architecture).then_some("qemu-user");
    let names = kernels.chain(user_mode).map(|kind| architecture.machine_name(kind));
    let logs = names.map(|name| (log(sh, &name), name)).filter(|(log, _)| log.exists());
    logs.map(|(log, name)| {
        let text = fs::read(log)?;
        Ok(Report::of_log(&name, &String::from_utf8_lossy(&text)))
    })
    .collect()
}
