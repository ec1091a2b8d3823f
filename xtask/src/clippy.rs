//! The task `clippy`: the lints of the root manifest, every one of them an error.

use anyhow::Result;
use xshell::{Shell, cmd};

/// Lints every target of every package.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo clippy --workspace --all-targets --locked -- -D warnings").run()?)
}
