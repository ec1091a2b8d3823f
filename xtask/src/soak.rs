//! The task `soak`: a random mix of everything, for some minutes, against a model of what may be
//! called back. `cargo xtask soak --minutes N [--seed S]`.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::arguments::Arguments;

/// Runs the soak with the time and the seed of the command line.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let mut arguments = Arguments::given();
    let minutes = arguments.option::<f64>("--minutes")?.unwrap_or(1.0).to_string();
    let seed = arguments.option::<u64>("--seed")?;
    arguments.end()?;
    let seed = seed.map(|seed| ["--seed".to_owned(), seed.to_string()]).into_iter().flatten();
    let binary = ["--package", "procession-benches", "--bin", "soak"];
    cmd!(sh, "cargo run --release --locked {binary...} -- --minutes {minutes} {seed...}").run()?;
    Ok(())
}
