//! Children of tokio's runtime, by procession-tokio.

use anyhow::{Context, Result, ensure};
use procession_tokio::{Command, Fd, Stdio};
use tokio::io::AsyncReadExt;

use crate::contenders::tokio::{rounds, runtime, runtime_for};
use crate::job::{Job, Ready};

/// A pipe grows while whole buffers pass through it, so a large buffer is worth it here.
const BUFFER_BYTES: usize = 256 << 10;

/// Spawns one child after the other, and waits for it. Returns microseconds.
pub(super) fn spawn(job: &Job) -> Result<Ready> {
    procession::reserve_spawn_fds()?;
    rounds::one_by_one(job, runtime_for(job)?, async |job| {
        let mut exit0 = Command::new(job.program("exit0"));
        exit0.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if job.row == "tokio-spawn-512m" {
            exit0.new_session().child_fd(3, Fd::from_child());
        }
        ensure!(exit0.spawn()?.wait().await?.success(), "the child failed");
        Ok(())
    })
}

/// Reads, in a task, from a child that writes chunks of 128 KiB. Returns gigabytes per second.
pub(super) fn bulk(job: &Job) -> Result<Ready> {
    rounds::bulk_in_task(job, runtime_for(job)?, read_all)
}

async fn read_all(job: Job) -> Result<u64> {
    let mut flood = Command::new(job.program("flood"));
    let mut child = flood.args(job.flood_args()).stdout(Stdio::piped()).spawn()?;
    let mut out = child.stdout.take().context("no stdout")?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut received = 0;
    loop {
        match out.read(&mut buffer).await? {
            0 => break,
            bytes => received += bytes as u64,
        }
    }
    ensure!(child.wait().await?.success(), "the child failed");
    Ok(received)
}

/// Makes round trips of one byte through `cat`. Returns microseconds.
pub(super) fn echo(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (input, out) = (cat.stdin.take(), cat.stdout.take());
    let (input, out) = (input.context("no stdin")?, out.context("no stdout")?);
    Ok(rounds::echo(job, runtime, cat, input, out))
}
