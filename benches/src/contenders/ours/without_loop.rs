//! Children without a loop: blocking calls.

use std::fs::File;

use anyhow::{Result, ensure};
use procession::{Command, Fd};

use crate::contenders::rounds;
use crate::job::{Job, Ready};

/// Spawns one child after the other, each read to its end.
pub(super) fn one_by_one(job: &Job) -> Result<Ready> {
    let program = job.program("exit0");
    rounds::one_by_one(job, move |_| {
        let output = Command::new(&program).spawn()?.output()?;
        ensure!(output.is_success(), "the child failed");
        Ok(())
    })
}

/// Captures the output of a silent program, one after the other, with no input.
pub(super) fn capture(job: &Job) -> Result<Ready> {
    let program = job.captured();
    rounds::one_by_one(job, move |_| {
        let child = Command::new(&program).stdin(Fd::null()).spawn()?;
        ensure!(child.output()?.is_success(), "the program failed");
        Ok(())
    })
}

/// Sends one byte to `cat` and back.
pub(super) fn echo(job: &Job) -> Result<Ready> {
    let mut cat = Command::new("cat").spawn()?;
    let (input, out) = (File::from(cat.take(0)?), File::from(cat.take(1)?));
    rounds::echo(job, cat, input, out)
}
