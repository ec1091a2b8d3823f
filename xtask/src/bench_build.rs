//! The task `bench-build`: the benches compile; measuring is another matter.

use anyhow::Result;
use xshell::{Shell, cmd};

/// Compiles every bench without running it, in the profile whose dependencies the tests have built.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo bench --workspace --locked --no-run --benches --profile dev").run()?)
}
