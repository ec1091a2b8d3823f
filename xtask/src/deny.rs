//! The task `deny`: bans, licences and sources of the dependency graph, by cargo-deny.
//!
//! The tool is installed below `target/tools` in the version that this file names, so that every
//! machine judges with the same rules. Advisories are not asked for: they need the network and
//! change without us.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// The version in use; raising it is a change of its own.
const VERSION: &str = "0.19.0";

/// Checks the graph against `deny.toml`.
///
/// Licences and sources hold for every package. Bans leave out the benches, which link the peers
/// that procession is compared with and whatever those bring.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let tools = sh.current_dir().join("target").join("tools");
    let tool = tools.join("bin").join("cargo-deny");
    let found = cmd!(sh, "{tool} --version").quiet().ignore_stderr().read();
    if found.ok().as_deref() != Some(&format!("cargo-deny {VERSION}")) {
        println!("cargo-deny {VERSION} is not at {}: installing it", tool.display());
        cmd!(sh, "cargo install cargo-deny --version ={VERSION} --locked --force --root {tools}")
            .run()
            .context("cargo-deny cannot be installed")?;
    }
    let everything = cmd!(sh, "{tool} --locked --workspace check licenses sources").run();
    let libraries =
        cmd!(sh, "{tool} --locked --workspace --exclude procession-benches check bans").run();
    everything?;
    Ok(libraries?)
}
