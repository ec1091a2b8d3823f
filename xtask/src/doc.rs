//! The task `doc`: builds the documentation, private items too, and takes no broken link.

use anyhow::Result;
use xshell::{Shell, cmd};

/// Runs rustdoc over the workspace with warnings as errors.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let _flags = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    println!("with RUSTDOCFLAGS='-D warnings'");
    Ok(cmd!(sh, "cargo doc --workspace --locked --no-deps --document-private-items").run()?)
}
