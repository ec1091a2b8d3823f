//! The rounds of the rows that both tokio and procession's children on tokio take part in.

use anyhow::{Result, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::clock::Stopwatch;
use crate::contenders::crowd::Ballast;
use crate::contenders::rounds;
use crate::job::{Job, Ready};

/// Spawns one child after the other, by `once`, which waits for its end. Returns microseconds for each.
pub(in crate::contenders) fn one_by_one(
    job: &Job,
    runtime: Runtime,
    once: impl AsyncFn(&Job) -> Result<()> + 'static,
) -> Result<Ready> {
    let ballast = Ballast::for_row(job)?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let _held = &ballast;
        let watch = Stopwatch::start();
        runtime.block_on(async {
            for _ in 0..job.count {
                once(&job).await?;
            }
            anyhow::Ok(())
        })?;
        Ok(watch.micros_each(job.count))
    }))
}

/// Makes round trips of one byte through `cat`. Returns microseconds.
pub(in crate::contenders) fn echo(
    job: &Job,
    runtime: Runtime,
    held: impl Sized + 'static,
    mut input: impl AsyncWrite + Unpin + 'static,
    mut out: impl AsyncRead + Unpin + 'static,
) -> Ready {
    let count = job.count;
    Ready::rounds(move || {
        let _held = &held;
        runtime.block_on(async {
            let mut byte = [b'x'; 4096];
            let watch = Stopwatch::start();
            for _ in 0..count {
                input.write_all(&byte[..1]).await?;
                let bytes = out.read(&mut byte).await?;
                ensure!(bytes == 1, "{bytes} bytes came back");
            }
            Ok(watch.micros_each(count))
        })
    })
}

/// Runs the row's number of programs at once, in a task each. `run` runs one and returns whether it
/// has succeeded. Returns microseconds for each program.
pub(in crate::contenders) fn at_once<F>(
    job: &Job,
    runtime: Runtime,
    run: impl Fn() -> F + 'static,
) -> Result<Ready>
where
    F: Future<Output = Result<bool>> + Send + 'static,
{
    let (count, crowd) = (job.count, job.crowd);
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        for _ in 0..count {
            runtime.block_on(async {
                let mut set = JoinSet::new();
                for _ in 0..crowd {
                    set.spawn(run());
                }
                for succeeded in set.join_all().await {
                    ensure!(succeeded?, "the program failed");
                }
                Ok(())
            })?;
        }
        Ok(watch.micros_each(count * crowd))
    }))
}

/// Has `receive` read all that a child writes, in a task. Returns gigabytes per second.
pub(in crate::contenders) fn bulk_in_task<F>(
    job: &Job,
    runtime: Runtime,
    receive: impl Fn(Job) -> F + 'static,
) -> Result<Ready>
where
    F: Future<Output = Result<u64>> + Send + 'static,
{
    rounds::bulk(job, move |job| runtime.block_on(runtime.spawn(receive(job.clone())))?)
}
