//! The task `counts`: system calls and instructions of optimised code, which no other program's work
//! can change. `test` counts the system calls of a debug build alone.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::test;

/// Runs the tests that count, in a release build.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    test::counting_skips(sh, || {
        Ok(cmd!(sh, "cargo test --release --locked -p procession-benches --test counts").run()?)
    })
}
