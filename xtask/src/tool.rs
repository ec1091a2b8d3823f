//! Installs cargo tools in the version that the task names, so every machine checks with the same
//! rules. Each is installed once for all clones, in a folder of cargo's home. Also checks for the
//! nightly toolchain, which the sanitizers, the fuzzer and rustdoc's JSON need.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// Returns the path of a cargo subcommand's program. Cargo installs it, unless it is there.
///
/// The build is not optimised: it then takes a third of the time, and a check of cargo-deny takes a
/// second either way. Each version has a folder of its own, so two clones may use different
/// versions.
pub(crate) fn installed(sh: &Shell, name: &str, version: &str) -> Result<PathBuf> {
    let tools = cargo_home()?.join("procession-tools").join(format!("{name}-{version}"));
    cmd!(sh, "cargo install {name} --version ={version} --locked --debug --root {tools}")
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .run()
        .with_context(|| format!("{name} cannot be installed"))?;
    Ok(tools.join("bin").join(name))
}

/// Fails if there is no nightly toolchain. The error names the command that installs it.
pub(crate) fn nightly(sh: &Shell) -> Result<()> {
    cmd!(sh, "rustup run nightly rustc --version")
        .quiet()
        .ignore_stderr()
        .read()
        .map(drop)
        .context("no nightly toolchain: rustup toolchain install nightly --profile minimal")
}

/// Returns cargo's home, by cargo's own rule.
fn cargo_home() -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    home.context("neither CARGO_HOME nor a home folder is known")
}
