//! The task `bench-build`: the benches compile; measuring is another matter.

use anyhow::Result;
use xshell::{Shell, cmd};

/// Compiles every bench without running it.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo bench --workspace --locked --no-run").run()?)
}
