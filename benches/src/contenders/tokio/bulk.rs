//! Bytes from a child, through a child, and between two children.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::runtime::Runtime;

use super::{rounds as in_runtime, runtime, runtime_for};
use crate::contenders::rounds;
use crate::job::{Job, Ready};

const BUFFER_BYTES: usize = 64 << 10;

/// Reads from a child that writes chunks of the row's size. Returns gigabytes per second.
pub(super) fn from_child(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    rounds::bulk(job, move |job| runtime.block_on(receive(job.clone())))
}

/// Does the same in a task, as a server would.
pub(super) fn from_child_in_task(job: &Job) -> Result<Ready> {
    in_runtime::bulk_in_task(job, runtime_for(job)?, receive)
}

async fn receive(job: Job) -> Result<u64> {
    let mut child = flood(&job)?;
    let mut out = child.stdout.take().context("no stdout")?;
    let received = read_all(&mut out).await?;
    ensure!(child.wait().await?.success(), "the child failed");
    Ok(received)
}

/// Counts the lines that a child writes. Returns gigabytes per second.
pub(super) fn lines(job: &Job) -> Result<Ready> {
    counted_lines(job, async |out| {
        let mut all = out.lines();
        let (mut lines, mut bytes) = (0, 0);
        while let Some(line) = all.next_line().await? {
            lines += 1;
            bytes += line.len() as u64;
        }
        Ok((lines, bytes))
    })
}

/// Does the same, without an allocation for each line.
pub(super) fn lines_in_one_buffer(job: &Job) -> Result<Ready> {
    counted_lines(job, async |mut out| {
        let (mut lines, mut bytes) = (0, 0);
        let mut line = Vec::new();
        while out.read_until(b'\n', &mut line).await? > 0 {
            lines += 1;
            bytes += line.len() as u64 - 1;
            line.clear();
        }
        Ok((lines, bytes))
    })
}

/// Has `count` count the lines of a child, and their bytes without the line feeds.
fn counted_lines(
    job: &Job,
    count: impl AsyncFn(BufReader<ChildStdout>) -> Result<(u64, u64)> + 'static,
) -> Result<Ready> {
    let runtime = runtime()?;
    rounds::lines(job, move |job| {
        runtime.block_on(async {
            let mut program = Command::new(job.program("lines"));
            let mut child = program.args(job.lines_args()).stdout(Stdio::piped()).spawn()?;
            let out = child.stdout.take().context("no stdout")?;
            let counted = count(BufReader::with_capacity(BUFFER_BYTES, out)).await?;
            ensure!(child.wait().await?.success(), "the child failed");
            Ok(counted)
        })
    })
}

/// Sends bytes to `cat` and back.
pub(super) fn through_cat(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let (count, program) = (job.count, job.program("cat"));
    rounds::bulk(job, move |_| {
        runtime.block_on(async {
            let mut cat = Command::new(&program);
            let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
            let (input, out) = (cat.stdin.take(), cat.stdout.take());
            let (mut input, mut out) = (input.context("no stdin")?, out.context("no stdout")?);
            let writer = tokio::spawn(async move {
                let chunk = vec![b'x'; 128 << 10];
                for _ in 0..count / chunk.len() as u64 {
                    input.write_all(&chunk).await?;
                }
                anyhow::Ok(())
            });
            let received = read_all(&mut out).await?;
            writer.await??;
            ensure!(cat.wait().await?.success(), "cat failed");
            Ok(received)
        })
    })
}

/// Moves bytes from one child to another. Returns gigabytes per second.
pub(super) fn forward(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    rounds::bulk(job, move |job| move_all(&runtime, job))
}

/// Does the same. Returns milliseconds of this process's processor time per gigabyte.
pub(super) fn forward_cpu(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    rounds::bulk_cpu(job, move |job| move_all(&runtime, job))
}

fn move_all(runtime: &Runtime, job: &Job) -> Result<u64> {
    runtime.block_on(async {
        let mut sink = Command::new(job.program("sink")).stdin(Stdio::piped()).spawn()?;
        let mut flood = flood(job)?;
        let (input, out) = (sink.stdin.take(), flood.stdout.take());
        let (mut input, out) = (input.context("no stdin")?, out.context("no stdout")?);
        // This is tokio's fastest way: the default buffer of `copy` has 8 KiB.
        let mut out = BufReader::with_capacity(BUFFER_BYTES, out);
        let moved = tokio::io::copy_buf(&mut out, &mut input).await?;
        drop(input);
        ensure!(flood.wait().await?.success(), "the writer failed");
        ensure!(sink.wait().await?.success(), "the reader failed");
        Ok(moved)
    })
}

fn flood(job: &Job) -> Result<Child> {
    let mut flood = Command::new(job.program("flood"));
    Ok(flood.args(job.flood_args()).stdout(Stdio::piped()).spawn()?)
}

async fn read_all(from: &mut (impl AsyncRead + Unpin)) -> Result<u64> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut received = 0;
    loop {
        match from.read(&mut buffer).await? {
            0 => return Ok(received),
            bytes => received += bytes as u64,
        }
    }
}
