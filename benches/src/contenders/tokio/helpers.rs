//! `Command::output`, and many of them under a semaphore.

use std::sync::Arc;

use anyhow::{Result, ensure};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{rounds, runtime, runtime_for};
use crate::clock::Stopwatch;
use crate::job::{Job, Ready};

/// Captures the output of a silent program, one run after the other. Returns microseconds per run.
pub(super) fn capture(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let (count, program) = (job.count, job.captured());
    Ok(Ready::rounds(move || {
        runtime.block_on(async {
            let watch = Stopwatch::start();
            for _ in 0..count {
                let output = Command::new(&program).output().await?;
                ensure!(output.status.success(), "the program failed");
            }
            Ok(watch.micros_each(count))
        })
    }))
}

/// Runs many commands, two at a time. Returns the milliseconds of all.
pub(super) fn run_all(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let count = job.crowd;
    Ok(Ready::rounds(move || {
        runtime.block_on(async {
            let watch = Stopwatch::start();
            let semaphore = Arc::new(Semaphore::new(2));
            let mut set = JoinSet::new();
            for _ in 0..count {
                let semaphore = Arc::clone(&semaphore);
                set.spawn(async move {
                    let _permit = semaphore.acquire().await?;
                    let output = Command::new("/bin/true").output().await?;
                    ensure!(output.status.success(), "true failed");
                    Ok(output)
                });
            }
            for result in set.join_all().await {
                result?;
            }
            Ok(watch.elapsed().as_secs_f64() * 1e3)
        })
    }))
}

/// Captures the output of the row's number of programs at once, in a task each. Returns microseconds
/// for each program.
pub(super) fn at_once(job: &Job) -> Result<Ready> {
    let program = job.captured();
    rounds::at_once(job, runtime_for(job)?, move || {
        let mut program = Command::new(&program);
        async move { Ok(program.output().await?.status.success()) }
    })
}
