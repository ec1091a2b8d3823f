//! Runs the tests of procession on other kernels and on another processor: `cargo xtask vm`.
//!
//! Each machine is a kernel of a Debian release in qemu-system, with an initramfs that holds the
//! programs of the tests and what they start. Another row runs the tests of spawning in qemu's user
//! mode. docs/conformance.md has the table, and CONTRIBUTING.md says what it leaves out.
//!
//! `--only NAME` chooses machines by a part of their name, and `--test NAME` tests by the name of
//! their file; both may be given more than once. `--table` runs nothing: it prints the table of what the
//! machines said last. Everything that is downloaded, built or written is
//! below target/vm.

mod debian;
mod image;
mod machine;
mod programs;
mod report;
mod user_mode;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use xshell::Shell;

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
    let mut reports = Vec::new();
    if !choice.only_table {
        machine::needs()?;
    }
    for architecture in [X86, ARM] {
        let rows = if choice.only_table { last_reports } else { on_architecture };
        reports.extend(rows(&sh, &architecture, &choice)?);
    }
    ensure!(!reports.is_empty(), "no machine has such a name");
    println!("\n{}", report::table(&reports));
    let failed = reports.iter().filter(|report| !report.is_good()).count();
    ensure!(failed == 0, "{failed} of {} machines had failures", reports.len());
    Ok(())
}

/// Boots the chosen kernels of an architecture, and runs its tests in user mode.
fn on_architecture(
    sh: &Shell,
    architecture: &Architecture,
    choice: &Choice,
) -> Result<Vec<Report>> {
    let kernels = kernels(architecture, choice);
    let in_user_mode = choice.has_machine(&architecture.machine_name("qemu-user"));
    if kernels.is_empty() && !in_user_mode {
        return Ok(Vec::new());
    }
    let programs = programs::build(sh, architecture, &choice.tests)?;
    let mut reports = Vec::new();
    if !kernels.is_empty() {
        let image = image::make(sh, architecture, &programs)?;
        let mut machines = Vec::new();
        for kernel in kernels {
            let file = debian::kernel(sh, kernel.suite, architecture)?;
            let log = log(sh, architecture, kernel.suite);
            machines.push(Machine { architecture, suite: kernel.suite, kernel: file, log });
        }
        reports.extend(machine::boot_all(&machines, &image, &programs)?);
    }
    if in_user_mode {
        reports.push(user_mode::run(sh, architecture, &programs)?);
    }
    Ok(reports)
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
fn log(sh: &Shell, architecture: &Architecture, kind: &str) -> PathBuf {
    sh.current_dir().join("target/vm").join(architecture.machine_name(kind) + ".log")
}

/// Reads what the chosen machines of an architecture said when they ran last.
fn last_reports(sh: &Shell, architecture: &Architecture, choice: &Choice) -> Result<Vec<Report>> {
    let mut rows: Vec<_> = kernels(architecture, choice)
        .into_iter()
        .map(|kernel| (kernel.suite, log(sh, architecture, kernel.suite)))
        .collect();
    if choice.has_machine(&architecture.machine_name("qemu-user")) {
        rows.push((architecture.user_emulator, log(sh, architecture, "qemu-user")));
    }
    rows.retain(|(_, log)| log.exists());
    rows.into_iter()
        .map(|(machine, log)| {
            let log = fs::read(log)?;
            Ok(Report::of_log(machine, &String::from_utf8_lossy(&log)))
        })
        .collect()
}
