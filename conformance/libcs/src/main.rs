//! Runs the suites of the libraries as built for another C library, and as 32-bit programs, and prints
//! a table: `cargo xtask libcs [TARGET..]`.

#[path = "../../../xtask/src/binaries.rs"]
mod binaries;
mod counts;
#[path = "../../../xtask/src/skips.rs"]
mod skips;

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::counts::Counts;

const MUSL: &str = "x86_64-unknown-linux-musl";
const I686: &str = "i686-unknown-linux-gnu";

const PACKAGES: [&str; 7] = [
    "procession-core",
    "procession-protocol",
    "procession-reactor",
    "procession-process-transport",
    "procession-net-transport",
    "procession-utils",
    "procession-tokio",
];

/// The results of one package on one target.
struct Row {
    target: String,
    package: &'static str,
    counts: Counts,
}

fn main() -> Result<()> {
    let sh = Shell::new()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    sh.change_dir(root.context("it is below the root")?);
    let mut targets: Vec<String> = env::args().skip(1).collect();
    if targets.is_empty() {
        targets = [MUSL, I686].map(str::to_owned).to_vec();
    }
    targets.iter().try_for_each(|target| check_tools(&sh, target))?;
    // A test asks cargo, without the network, where the sources of a dependency are.
    cmd!(sh, "cargo fetch --locked").run()?;
    let mut rows = Vec::new();
    for target in &targets {
        for package in PACKAGES {
            println!("\n== {package} for {target}");
            rows.push(row(&sh, target, package)?);
        }
    }
    println!("\n| target | package | passed | failed | skipped |\n| --- | --- | ---: | ---: | ---: |");
    for Row { target, package, counts } in &rows {
        let Counts { passed, failed, skipped, error } = counts;
        let word = if error.is_none() { "" } else { " FAILED" };
        println!("| {target} | {package} | {passed} | {failed} | {skipped} |{word}");
    }
    let failed = rows.iter().filter(|row| row.counts.error.is_some()).count();
    ensure!(failed == 0, "{failed} packages failed");
    Ok(())
}

/// Fails with the commands that install what is missing.
fn check_tools(sh: &Shell, target: &str) -> Result<()> {
    let library = cmd!(sh, "rustc --print target-libdir --target {target}").quiet().read()?;
    ensure!(Path::new(&library).exists(), "no standard library: rustup target add {target}");
    if target == I686 {
        for file in ["crt1.o", "libgcc.a"] {
            let found = cmd!(sh, "cc -m32 -print-file-name={file}").quiet().read()?;
            if !PathBuf::from(found).is_absolute() {
                let version = cmd!(sh, "cc -dumpversion").quiet().read()?;
                bail!(
                    "{file} for 32 bits is missing: apt-get install --no-install-recommends \
                     libc6-dev-i386 lib32gcc-{version}-dev"
                );
            }
        }
    }
    Ok(())
}

fn row(sh: &Shell, target: &str, package: &'static str) -> Result<Row> {
    let suite = cmd!(sh, "cargo test --package {package} --tests --locked --target {target}");
    let counts = counts::run(sh, suite, |_| true)?;
    Ok(Row { target: target.to_owned(), package, counts })
}
