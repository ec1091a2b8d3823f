//! Runs the tests of procession on other kernels and on another processor: `cargo xtask vm`.
//!
//! Each machine is a kernel of a Debian release in qemu-system, with an initramfs that holds the
//! programs of the tests and what they start. Another row runs the tests of spawning in qemu's user
//! mode. docs/conformance.md has the table, and CONTRIBUTING.md says what it leaves out.
//!
//! `--only NAME` chooses machines by a part of their name, and `--test NAME` tests by the name of
//! their file; both may be given more than once. Everything that is downloaded, built or written is
//! below target/vm.

mod debian;
mod image;
mod machine;
mod programs;
mod report;
mod user_mode;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use xshell::Shell;

use crate::machine::{ARM, Architecture, KERNELS, Machine, X86};
use crate::report::Report;

/// What the command line chooses. An empty list stands for all.
#[derive(Debug, Default)]
struct Choice {
    machines: Vec<String>,
    tests: Vec<String>,
}

impl Choice {
    fn of_command_line() -> Result<Self> {
        let mut choice = Self::default();
        let mut words = env::args().skip(1);
        while let Some(option) = words.next() {
            let value = words.next().with_context(|| format!("{option} takes a value"))?;
            match &*option {
                "--only" => choice.machines.push(value),
                "--test" => choice.tests.push(value),
                _ => bail!("the options are --only MACHINE and --test FILE"),
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
    machine::needs()?;
    let mut reports = Vec::new();
    for architecture in [X86, ARM] {
        reports.extend(on_architecture(&sh, &architecture, &choice)?);
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
    let name = |suite: &str| format!("{suite}-{}", architecture.debian);
    let kernels: Vec<_> = KERNELS
        .iter()
        .filter(|kernel| kernel.architectures.contains(&architecture.debian))
        .filter(|kernel| choice.has_machine(&name(kernel.suite)))
        .collect();
    let in_user_mode = choice.has_machine(&name("qemu-user"));
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
            let log = sh.current_dir().join("target/vm").join(name(kernel.suite) + ".log");
            machines.push(Machine { architecture, suite: kernel.suite, kernel: file, log });
        }
        reports.extend(machine::boot_all(&machines, &image)?);
    }
    if in_user_mode {
        reports.push(user_mode::run(sh, architecture, &programs)?);
    }
    Ok(reports)
}
