//! The task `deny`: bans, licences and sources of the dependency graph, by cargo-deny.
//!
//! Advisories are not asked for: they need the network and change without us.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::tool;

/// The version in use; raising it is a change of its own.
const VERSION: &str = "0.19.0";

/// Checks the graph against `deny.toml`.
///
/// Licences and sources hold for every package. Bans leave out the benches, which link the peers
/// that procession is compared with and whatever those bring.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let tool = tool::installed(sh, "cargo-deny", VERSION)?;
    let everything = cmd!(sh, "{tool} --locked --workspace check licenses sources").run();
    let libraries =
        cmd!(sh, "{tool} --locked --workspace --exclude procession-benches check bans").run();
    everything?;
    Ok(libraries?)
}
