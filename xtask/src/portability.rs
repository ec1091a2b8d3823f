//! The task `portability`: checks that the library crates compile for systems that cannot run here.
//!
//! It needs Debian's second toolchain (packages rustc-web, cargo-web and rust-web-src). That
//! contains the source of the standard library, so cargo can build it for any target. Cargo refuses a
//! compiler that is older than the workspace accepts; those of bookworm and trixie are new enough.
//! Not part of `ci`.

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

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std";

/// Checks every library crate for every target, and the spawner without a loop too.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let missing: Vec<&str> =
        [CARGO, RUSTC, SOURCE].into_iter().filter(|path| !Path::new(path).exists()).collect();
    ensure!(
        missing.is_empty(),
        "missing: {}; apt-get install rustc-web cargo-web rust-web-src",
        missing.join(", ")
    );
    let _rustc = sh.push_env("RUSTC", RUSTC);
    // A stable compiler accepts -Zbuild-std only with this variable.
    let _bootstrap = sh.push_env("RUSTC_BOOTSTRAP", "1");
    let _flags = sh.push_env("RUSTFLAGS", "-Dwarnings");
    // Examples and benches have dependencies that may not be portable.
    let libraries: Vec<&str> = LIBRARIES.iter().flat_map(|name| ["--package", name]).collect();
    let check = |target: &str, options: &[&str]| {
        println!("== {target}: {}", options.join(" "));
        let command = cmd!(
            sh,
            "{CARGO} check --lib -Zbuild-std=std,panic_abort --locked --target {target}
             --target-dir target/portability {options...}"
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
