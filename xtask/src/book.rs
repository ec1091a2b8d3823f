//! The task `book`: builds the book and checks it. `book/src` has the code, as a workspace of its own.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::arguments;

/// Tests the checks, builds the book in each language into `target/book`, and checks its links and listings.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let arguments = arguments();
    let package = ["--manifest-path", "book/Cargo.toml", "--target-dir", "target/book-tool"];
    cmd!(sh, "cargo test --quiet --locked {package...}").run()?;
    Ok(cmd!(sh, "cargo run --quiet --locked {package...} -- {arguments...}").run()?)
}
