//! The task `portability`: checks that the library crates compile for systems that cannot run here.
//!
//! It needs Debian's second toolchain (packages rustc-web, cargo-web and rust-web-src). That
//! contains the source of the standard library, so cargo can build it for any target. Not part of
//! `ci`.

use std::path::Path;

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::metadata::LIBRARIES;

/// The targets: the other supported systems, and other variants of Linux.
const TARGETS: [&str; 5] = [
    "x86_64-unknown-freebsd",
    "x86_64-unknown-netbsd",
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
];

/// A target that must be refused, with our message.
const REFUSED: (&str, &str) = ("i686-unknown-linux-gnu", "64-bit Linux only");

/// The options for the spawner alone, without the reactor.
const WITHOUT_A_LOOP: [&str; 3] = ["-p", "procession-process-transport", "--no-default-features"];

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
/// The oldest compiler that the workspace accepts.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");
const SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std";

/// Checks every library crate for every target, and the spawner without a loop too.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let missing: Vec<&str> =
        [CARGO, RUSTC, SOURCE].into_iter().filter(|path| !Path::new(path).exists()).collect();
    if !missing.is_empty() {
        bail!(
            "missing: {}; install Debian's second toolchain with\n    \
             apt-get install rustc-web cargo-web rust-web-src",
            missing.join(", ")
        );
    }
    let version = cmd!(sh, "{RUSTC} --version").quiet().read()?;
    if !is_new_enough(&version) {
        bail!(
            "{RUSTC} is {version}, and the libraries need {OLDEST}: run this where Debian's \
             rustc-web is new enough, trixie or later (a chroot will do)"
        );
    }
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
    let (target, message) = REFUSED;
    let (compiles, errors) = check(target, &WITHOUT_A_LOOP)?;
    if compiles || !errors.contains(message) {
        bail!("{target} is not refused by a message that says \"{message}\"");
    }
    if broken.is_empty() { Ok(()) } else { bail!("does not compile for {}", broken.join(", ")) }
}

/// Returns whether the output of `rustc --version` is at least [`OLDEST`].
fn is_new_enough(version: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> {
        text.split('.').map_while(|number| number.parse().ok()).take(2).collect()
    };
    let version = version.split(' ').nth(1).unwrap_or_default();
    numbers(version) >= numbers(OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_is_judged_by_its_two_first_numbers() {
        assert!(!is_new_enough(
            "rustc 1.85.0 (4d91de4e4 2025-02-17) (built from a source tarball)"
        ));
        assert!(is_new_enough(&format!("rustc {OLDEST}.0 (0123 2026-01-01)")));
        assert!(is_new_enough("rustc 1.100.0-nightly (0123 2026-01-01)"));
        assert!(!is_new_enough("no version"));
    }
}
