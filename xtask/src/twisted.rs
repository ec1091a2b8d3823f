//! The task `twisted`: starts `conformance/twisted/run.py`, with the arguments of the command line.
//!
//! That program says what it needs from the system. Not part of `ci`.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::arguments;

/// Runs Twisted's own tests over this library or, with `--scripts N`, random scripts.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let arguments = arguments();
    cmd!(sh, "python3 conformance/twisted/run.py {arguments...}")
        .run()
        .context("if there is no python3: apt-get install python3 python3-venv")
}
