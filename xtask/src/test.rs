//! The tasks `test` and `test-slow`: run the unit, property and behaviour tests.
//!
//! Benches are left out (`bench-build` compiles them), and doctests have a task of their own. Tests
//! of the slow tier run if `PROCESSION_SLOW` is `1`.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{binaries, skips};

/// Runs every test except the slow tier, the doctests and the benches.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    skips::counting(sh, || {
        // A test asks cargo, without the network, where the sources of a dependency are.
        cmd!(sh, "cargo fetch --locked").run()?;
        // The tests of the examples start the built examples.
        cmd!(sh, "cargo build --workspace --locked --bins --examples").run()?;
        binaries::run(sh, cmd!(sh, "cargo test --workspace --locked --tests"), |_| true)
    })
}

/// Runs the same tests with the slow tier.
pub(crate) fn run_with_slow_tier(sh: &Shell) -> Result<()> {
    let _slow = sh.push_env("PROCESSION_SLOW", "1");
    println!("with PROCESSION_SLOW=1");
    run(sh)
}
