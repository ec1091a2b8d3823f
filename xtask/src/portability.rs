//! The task `portability`: the library crates compile for the systems that cannot run here.
//!
//! It takes Debian's second toolchain (packages rustc-web, cargo-web and rust-web-src), whose source
//! of the standard library lets cargo build that for any target. Not part of `ci`.

use std::path::Path;

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

/// What is checked: the other systems that are supported, and other faces of Linux.
const TARGETS: [&str; 5] = [
    "x86_64-unknown-freebsd",
    "x86_64-unknown-netbsd",
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
];

/// The library crates; examples and benches bring dependencies that are not ours to port.
const PACKAGES: [&str; 7] = [
    "procession-core",
    "procession-protocol",
    "procession-reactor",
    "procession-process-transport",
    "procession-net-transport",
    "procession-utils",
    "procession",
];

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std";

/// Checks every library crate for every target, the spawner also without a loop.
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
    let _rustc = sh.push_env("RUSTC", RUSTC);
    // What -Zbuild-std needs of a stable compiler.
    let _bootstrap = sh.push_env("RUSTC_BOOTSTRAP", "1");
    let _flags = sh.push_env("RUSTFLAGS", "-Dwarnings");
    let packages: Vec<&str> = PACKAGES.iter().flat_map(|package| ["--package", package]).collect();
    let mut broken = Vec::new();
    for target in TARGETS {
        println!("== {target}");
        let packages = &packages;
        let check = cmd!(
            sh,
            "{CARGO} check --lib -Zbuild-std=std,panic_abort --locked --target {target}
             --target-dir target/portability {packages...}"
        );
        let without_a_loop = cmd!(
            sh,
            "{CARGO} check --lib -Zbuild-std=std,panic_abort --locked --target {target}
             --target-dir target/portability -p procession-process-transport --no-default-features"
        );
        if check.run().is_err() || without_a_loop.run().is_err() {
            broken.push(target);
        }
    }
    if broken.is_empty() { Ok(()) } else { bail!("does not compile for {}", broken.join(", ")) }
}
