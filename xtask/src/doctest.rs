//! The task `doctest`: compiles and runs the examples in doc comments.

use anyhow::Result;
use xshell::{Shell, cmd};

/// Runs the doctests of every library.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo test --workspace --locked --no-fail-fast --doc").run()?)
}
