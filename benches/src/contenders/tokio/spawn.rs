//! Spawning: to the end of a child, beside other children, and how long the loop is blocked.

use std::process::Stdio;
use std::rc::Rc;

use anyhow::{Result, ensure};
use tokio::process::Command;
use tokio::task::LocalSet;

use super::{crowd, rounds, runtime, runtime_for};
use crate::clock::{Stopwatch, float, ninth_tenth};
use crate::job::{Job, Ready};
use crate::sys;

/// Spawns one child after the other, each read to its end.
pub(super) fn one_by_one(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let crowd = match job.row.as_str() {
        "spawn-5k" => Some(runtime.block_on(async { crowd::start(job) })?),
        _ => None,
    };
    rounds::one_by_one(job, runtime, async move |job| {
        let _held = &crowd;
        once(job).await
    })
}

fn command(job: &Job) -> Command {
    let mut command = Command::new(job.program("exit0"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if job.row == "spawn-1g" || job.row == "tokio-spawn-512m" {
        // tokio has no descriptor map, and a session takes a `pre_exec` closure.
        sys::new_session_tokio(&mut command);
    }
    command
}

async fn once(job: &Job) -> Result<()> {
    let output = command(job).spawn()?.wait_with_output().await?;
    ensure!(output.status.success(), "the child failed");
    Ok(())
}

/// Spawns one child after the other, and waits for it. Returns microseconds.
pub(super) fn with_wait(job: &Job) -> Result<Ready> {
    rounds::one_by_one(job, runtime_for(job)?, async |job| {
        ensure!(command(job).spawn()?.wait().await?.success(), "the child failed");
        Ok(())
    })
}

/// Returns how long a call of `spawn` lasts, in nine of ten cases, in microseconds.
pub(super) fn stall(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        runtime.block_on(async {
            let mut stalls = Vec::new();
            for _ in 0..job.count {
                let mut command = command(&job);
                let watch = Stopwatch::start();
                let child = command.spawn()?;
                stalls.push(watch.micros_each(1));
                child.wait_with_output().await?;
            }
            Ok(ninth_tenth(stalls))
        })
    }))
}

/// Spawns two children at a time. Returns children per second.
pub(super) fn two_at_a_time(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let job = Rc::new(job.clone());
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        LocalSet::new().block_on(&runtime, async {
            let halves = [0, 1].map(|_| {
                let job = Rc::clone(&job);
                tokio::task::spawn_local(async move {
                    for _ in 0..job.count / 2 {
                        once(&job).await?;
                    }
                    anyhow::Ok(())
                })
            });
            for half in halves {
                half.await??;
            }
            anyhow::Ok(())
        })?;
        Ok(float(job.count) / watch.elapsed().as_secs_f64())
    }))
}
