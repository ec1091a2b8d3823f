//! Tools beyond rustup's cargo: installed below `target/tools`, in the version that the task names,
//! so that every machine judges with the same rules.

use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// Returns the path of a cargo subcommand's program; installs it where it is not there, and says so.
///
/// It is built without optimisation: a check of cargo-deny takes a second either way, and its build
/// a third of the time.
pub(crate) fn installed(sh: &Shell, name: &str, version: &str) -> Result<PathBuf> {
    let tools = sh.current_dir().join("target").join("tools");
    let tool = tools.join("bin").join(name);
    let found = cmd!(sh, "{tool} --version").quiet().ignore_stderr().read();
    if !found.is_ok_and(|found| found.ends_with(&format!(" {version}"))) {
        println!("{name} {version} is not at {}: installing it", tool.display());
        cmd!(
            sh,
            "cargo install {name} --version ={version} --locked --force --debug --root {tools}"
        )
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .run()
        .with_context(|| format!("{name} cannot be installed"))?;
    }
    Ok(tool)
}
