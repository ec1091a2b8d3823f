//! The nightly toolchain, which the sanitizers, the fuzzer and rustdoc's JSON need.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// The target that is sanitized and fuzzed: the one that the children run on.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Fails, naming the line that installs it, where there is no nightly toolchain.
pub(crate) fn required(sh: &Shell) -> Result<()> {
    cmd!(sh, "rustup run nightly rustc --version")
        .quiet()
        .ignore_stderr()
        .read()
        .map(drop)
        .context("no nightly toolchain: rustup toolchain install nightly --profile minimal")
}
