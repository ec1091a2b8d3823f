//! The task `compare`: procession against its peers and against the limit, measured here.
//!
//! The measuring is done by the program `compare` of the benches package, as a release build; this
//! hands its options on. `docs/performance.md` says how to read what it prints.

use std::iter;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::arguments::Arguments;

/// Measures every row, or those that the command line names.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let mut arguments = Arguments::given();
    let options: Vec<String> = iter::from_fn(|| arguments.word()).collect();
    let binary = ["--package", "procession-benches", "--bin", "compare"];
    cmd!(sh, "cargo run --quiet --release --locked {binary...} -- {options...}").run()?;
    Ok(())
}
