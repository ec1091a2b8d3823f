//! The task `fmt`: checks the formatting and changes nothing; `cargo fmt` repairs it.

use anyhow::Result;
use xshell::{Shell, cmd};

/// Checks the formatting of every package.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo fmt --all --check").run()?)
}
