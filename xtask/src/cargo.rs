//! The tasks that are one or two calls of cargo.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::metadata::LIBRARIES;
use crate::{arguments, skips, tool};

/// The version in use. A commit that raises it does nothing else.
const CARGO_DENY: &str = "0.20.2";

/// Checks the formatting and changes nothing. `cargo fmt` repairs it.
pub(crate) fn fmt(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo fmt --all --check").run()?)
}

/// Lints every target of every package with the lints of the root manifest. Each warning is an
/// error.
pub(crate) fn clippy(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo clippy --workspace --all-targets --locked -- -D warnings").run()?)
}

/// Compiles and runs the examples in doc comments.
pub(crate) fn doctest(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo test --workspace --locked --no-fail-fast --doc").run()?)
}

/// Builds the documentation, with private items. A broken link is an error.
pub(crate) fn doc(sh: &Shell) -> Result<()> {
    doc_of(sh, &["--workspace", "--locked"])
}

fn doc_of(sh: &Shell, packages: &[&str]) -> Result<()> {
    let _flags = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    println!("with RUSTDOCFLAGS='-D warnings'");
    Ok(cmd!(sh, "cargo doc {packages...} --no-deps --document-private-items").run()?)
}

/// Checks the dependency graph against `deny.toml`.
///
/// The rules for licences and sources apply to every package. The bans exclude the benches, which
/// link the peers that procession is compared with, and all of their dependencies. Advisories are
/// not checked: they need the network and change without a change of ours.
pub(crate) fn deny(sh: &Shell) -> Result<()> {
    let tool = tool::installed(sh, "cargo-deny", CARGO_DENY)?;
    let everything = cmd!(sh, "{tool} --locked --workspace check licenses sources").run();
    let libraries =
        cmd!(sh, "{tool} --locked --workspace --exclude procession-benches check bans").run();
    everything?;
    Ok(libraries?)
}

/// Runs the tests of the examples, which run every example. The task `test` includes them.
pub(crate) fn examples(sh: &Shell) -> Result<()> {
    let packages = ["-p", "procession-examples", "-p", "procession-example-reactor-only"];
    Ok(cmd!(sh, "cargo test --locked --no-fail-fast {packages...}").run()?)
}

/// Lints, documents and compiles the benches package with the peers and criterion, which every other
/// task leaves out. Nothing runs.
pub(crate) fn bench_build(sh: &Shell) -> Result<()> {
    let benches = ["--package", "procession-benches", "--all-features", "--locked"];
    cmd!(sh, "cargo clippy {benches...} --all-targets -- -D warnings").run()?;
    doc_of(sh, &benches)?;
    Ok(cmd!(sh, "cargo bench {benches...} --no-run --benches --profile dev").run()?)
}

/// Counts system calls and instructions of a release build. Other programs cannot change these
/// numbers. The task `test` only counts the system calls of a debug build.
pub(crate) fn counts(sh: &Shell) -> Result<()> {
    skips::counting(sh, || {
        Ok(cmd!(sh, "cargo test --release --locked -p procession-benches --test counts").run()?)
    })
}

/// Measures procession, its peers and the limit. `docs/performance.md` explains the output.
pub(crate) fn compare(sh: &Shell) -> Result<()> {
    run_with_arguments(sh, "compare", &["--features", "peers"])
}

/// Runs random operations for some minutes and checks the callbacks against a model.
pub(crate) fn soak(sh: &Shell) -> Result<()> {
    run_with_arguments(sh, "soak", &[])
}

/// Compiles the libraries with the oldest Rust that they support, which is that of this package too.
pub(crate) fn msrv(sh: &Shell) -> Result<()> {
    let version = env!("CARGO_PKG_RUST_VERSION");
    let libraries = LIBRARIES.iter().flat_map(|name| ["--package", name]);
    cmd!(sh, "rustup run {version} cargo check --lib --all-features --locked {libraries...}")
        .run()
        .with_context(|| format!("rustup toolchain install {version} --profile minimal"))
}

/// Tries a release in a copy. The package `procession-release` documents it.
pub(crate) fn release(sh: &Shell) -> Result<()> {
    let arguments = arguments();
    let program = ["--package", "procession-release"];
    Ok(cmd!(sh, "cargo run --quiet --locked {program...} -- {arguments...}").run()?)
}

/// Runs the suites with other C libraries and as 32-bit programs.
pub(crate) fn libcs(sh: &Shell) -> Result<()> {
    conformance(sh, "libcs", &arguments())
}

/// Runs the suites with musl alone, which needs nothing but a target of rustup.
pub(crate) fn musl(sh: &Shell) -> Result<()> {
    conformance(sh, "libcs", &["x86_64-unknown-linux-musl".to_owned()])
}

/// Runs the tests of what threads share with ThreadSanitizer.
pub(crate) fn tsan(sh: &Shell) -> Result<()> {
    conformance(sh, "tsan", &[])
}

/// Runs what threads share in every order.
pub(crate) fn loom(sh: &Shell) -> Result<()> {
    conformance(sh, "loom", &[])
}

/// Runs a program of `conformance`, each of which is a workspace of its own.
fn conformance(sh: &Shell, name: &str, arguments: &[String]) -> Result<()> {
    let manifest = format!("conformance/{name}/Cargo.toml");
    let package = ["--manifest-path", &manifest, "--target-dir", "target/conformance"];
    Ok(cmd!(sh, "cargo run --quiet --locked {package...} -- {arguments...}").run()?)
}

/// Runs the tests on other kernels and another processor. `conformance/vm` has the code, as a
/// workspace of its own.
pub(crate) fn vm(sh: &Shell) -> Result<()> {
    let arguments = arguments();
    let package =
        ["--manifest-path", "conformance/vm/Cargo.toml", "--target-dir", "target/vm/runner"];
    Ok(cmd!(sh, "cargo run --quiet --locked {package...} -- {arguments...}").run()?)
}

/// Runs a program of the benches package, which documents its arguments.
fn run_with_arguments(sh: &Shell, program: &str, features: &[&str]) -> Result<()> {
    let arguments = arguments();
    let program = ["--package", "procession-benches", "--bin", program];
    Ok(cmd!(
        sh,
        "cargo run --quiet --release --locked {program...} {features...} -- {arguments...}"
    )
    .run()?)
}
