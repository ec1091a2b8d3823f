//! The task `portability`: checks that the library crates compile for systems that cannot run here.
//!
//! It needs the standard library of each target, which rustup downloads. A check links nothing, so it
//! needs no linker and no C library of the target. Not part of `ci`.

use std::path::Path;

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use crate::metadata::LIBRARIES;

/// The targets: the other supported systems, and other variants of Linux.
const TARGETS: [&str; 6] = [
    "x86_64-unknown-freebsd",
    "x86_64-unknown-netbsd",
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-gnu",
    "armv7-unknown-linux-gnueabihf",
    "x86_64-unknown-linux-musl",
];

/// The options for the spawner alone, without the reactor.
const WITHOUT_A_LOOP: [&str; 3] = ["-p", "procession-process-transport", "--no-default-features"];

/// Checks every library crate for every target, and the spawner without a loop too.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let mut missing = Vec::new();
    for target in TARGETS {
        let library = cmd!(sh, "rustc --print target-libdir --target {target}").quiet().read()?;
        if !Path::new(&library).exists() {
            missing.push(target);
        }
    }
    ensure!(missing.is_empty(), "no standard library: rustup target add {}", missing.join(" "));
    let _flags = sh.push_env("RUSTFLAGS", "-Dwarnings");
    // Examples and benches have dependencies that may not be portable.
    let libraries: Vec<&str> = LIBRARIES.iter().flat_map(|name| ["--package", name]).collect();
    let check = |target: &str, options: &[&str]| {
        println!("== {target}: {}", options.join(" "));
        let command = cmd!(
            sh,
            "cargo check --lib --locked --target {target} --target-dir target/portability
             {options...}"
        );
        let output = command.ignore_status().output()?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        anyhow::Ok((output.status.success(), errors))
    };
    let mut broken = Vec::new();
    for target in TARGETS {
        for options in [libraries.as_slice(), &WITHOUT_A_LOOP] {
            let (compiles, errors) = check(target, options)?;
            if !compiles {
                println!("{errors}");
                broken.push(target);
            }
        }
    }
    ensure!(broken.is_empty(), "does not compile for {}", broken.join(", "));
    Ok(())
}
