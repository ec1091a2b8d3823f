//! Children without a loop: blocking calls.

use std::fs::File;
use std::io::{Read, Write};

use anyhow::{Result, ensure};
use procession::{Command, Fd};

use crate::clock::Stopwatch;
use crate::job::{Job, Ready};

/// Spawns one child after the other, each read to its end.
pub(super) fn one_by_one(job: &Job) -> Result<Ready> {
    let (count, program) = (job.count, job.program("exit0"));
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        for _ in 0..count {
            let output = Command::new(&program).spawn()?.output()?;
            ensure!(output.is_success(), "the child failed");
        }
        Ok(watch.micros_each(count))
    }))
}

/// Captures the output of a silent program, one after the other, with no input.
pub(super) fn capture(job: &Job) -> Result<Ready> {
    let (count, program) = (job.count, job.captured());
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        for _ in 0..count {
            let child = Command::new(&program).stdin(Fd::null()).spawn()?;
            ensure!(child.output()?.is_success(), "the program failed");
        }
        Ok(watch.micros_each(count))
    }))
}

/// Sends one byte to `cat` and back.
pub(super) fn echo(job: &Job) -> Result<Ready> {
    let mut cat = Command::new("cat").spawn()?;
    let (mut input, mut out) = (File::from(cat.take(0)?), File::from(cat.take(1)?));
    let count = job.count;
    Ok(Ready::rounds(move || {
        let _held = &cat;
        let mut byte = [b'x'];
        let watch = Stopwatch::start();
        for _ in 0..count {
            input.write_all(&byte)?;
            out.read_exact(&mut byte)?;
        }
        Ok(watch.micros_each(count))
    }))
}
