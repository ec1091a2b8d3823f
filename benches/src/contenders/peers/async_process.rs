//! async-process, on `async_io::block_on`.

use anyhow::{Context, Result, ensure};
use async_io::block_on;
use async_process::{Child, Command, Stdio};
use futures_lite::io::BufReader;
use futures_lite::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, StreamExt, future};

use crate::clock::{Stopwatch, float, ninth_tenth};
use crate::contenders::crowd::{Ballast, Leash, resident_bytes};
use crate::contenders::{Prepare, rounds};
use crate::job::{Job, Ready};

pub(super) fn row(id: &str) -> Option<Prepare> {
    Some(match id {
        "spawn" | "spawn-18k" | "spawn-5k" => one_by_one,
        "spawn-stall" => stall,
        "spawn-rate-2" => two_at_a_time,
        "bulk-out-128k" | "bulk-out-4k" => from_child,
        "echo" => echo,
        "exit-storm" => exit_storm,
        "memory-per-child" => memory,
        "capture" | "capture-static" => capture,
        "lines" => lines,
        _ => return None,
    })
}

fn command(job: &Job) -> Command {
    let mut command = Command::new(job.program("exit0"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn once(job: &Job) -> Result<()> {
    let mut child = command(job).spawn()?;
    drop(child.stdin.take());
    ensure!(child.output().await?.status.success(), "the child failed");
    Ok(())
}

fn one_by_one(job: &Job) -> Result<Ready> {
    let ballast = Ballast::for_row(job)?;
    let crowd = match job.row.as_str() {
        "spawn-5k" => Some(start_crowd(job)?),
        _ => None,
    };
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let _held = (&ballast, &crowd);
        let watch = Stopwatch::start();
        block_on(async {
            for _ in 0..job.count {
                once(&job).await?;
            }
            anyhow::Ok(())
        })?;
        Ok(watch.micros_each(job.count))
    }))
}

fn stall(job: &Job) -> Result<Ready> {
    let job = job.clone();
    Ok(Ready::rounds(move || {
        block_on(async {
            let mut stalls = Vec::new();
            for _ in 0..job.count {
                let mut command = command(&job);
                let watch = Stopwatch::start();
                let child = command.spawn()?;
                stalls.push(watch.micros_each(1));
                child.output().await?;
            }
            Ok(ninth_tenth(stalls))
        })
    }))
}

fn two_at_a_time(job: &Job) -> Result<Ready> {
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let half = async || {
            for _ in 0..job.count / 2 {
                once(&job).await?;
            }
            anyhow::Ok(())
        };
        let watch = Stopwatch::start();
        block_on(future::try_zip(half(), half()))?;
        Ok(float(job.count) / watch.elapsed().as_secs_f64())
    }))
}

fn from_child(job: &Job) -> Result<Ready> {
    let mut buffer = vec![0; 64 << 10];
    rounds::bulk(job, move |job| {
        block_on(async {
            let mut flood = Command::new(job.program("flood"));
            let mut child = flood.args(job.flood_args()).stdout(Stdio::piped()).spawn()?;
            let mut out = child.stdout.take().context("no stdout")?;
            let mut received = 0;
            loop {
                match out.read(&mut buffer).await? {
                    0 => break,
                    bytes => received += bytes as u64,
                }
            }
            ensure!(child.status().await?.success(), "the child failed");
            Ok(received)
        })
    })
}

fn echo(job: &Job) -> Result<Ready> {
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (input, out) = (cat.stdin.take(), cat.stdout.take());
    let (mut input, mut out) = (input.context("no stdin")?, out.context("no stdout")?);
    let count = job.count;
    Ok(Ready::rounds(move || {
        let _held = &cat;
        block_on(async {
            let mut byte = [b'x'];
            let watch = Stopwatch::start();
            for _ in 0..count {
                input.write_all(&byte).await?;
                out.read_exact(&mut byte).await?;
            }
            Ok(watch.micros_each(count))
        })
    }))
}

fn start_crowd(job: &Job) -> Result<(Leash, Vec<Child>)> {
    let leash = Leash::new()?;
    let mut children = Vec::new();
    for _ in 0..job.crowd {
        let mut hold = Command::new(job.program("hold"));
        hold.stdin(leash.child_end.try_clone()?).stdout(Stdio::piped()).stderr(Stdio::null());
        children.push(hold.spawn()?);
    }
    Ok((leash, children))
}

fn exit_storm(job: &Job) -> Result<Ready> {
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let (leash, children) = start_crowd(&job)?;
        let watch = Stopwatch::start();
        leash.let_go();
        block_on(async {
            for child in children {
                child.output().await?;
            }
            anyhow::Ok(())
        })?;
        Ok(watch.micros_each(job.crowd))
    }))
}

fn memory(job: &Job) -> Result<Ready> {
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let first = start_crowd(&Job { crowd: 1, ..job.clone() })?;
        let before = resident_bytes()?;
        let crowd = start_crowd(&job)?;
        let after = resident_bytes()?;
        drop((first, crowd));
        Ok(float(after.saturating_sub(before)) / float(job.crowd))
    }))
}

fn capture(job: &Job) -> Result<Ready> {
    let (count, program) = (job.count, job.captured());
    Ok(Ready::rounds(move || {
        block_on(async {
            let watch = Stopwatch::start();
            for _ in 0..count {
                let output = Command::new(&program).output().await?;
                ensure!(output.status.success(), "the program failed");
            }
            Ok(watch.micros_each(count))
        })
    }))
}

fn lines(job: &Job) -> Result<Ready> {
    rounds::lines(job, |job| {
        block_on(async {
            let mut program = Command::new(job.program("lines"));
            let mut child = program.args(job.lines_args()).stdout(Stdio::piped()).spawn()?;
            let out = child.stdout.take().context("no stdout")?;
            let mut all = BufReader::with_capacity(64 << 10, out).lines();
            let (mut lines, mut bytes) = (0, 0);
            while let Some(line) = all.next().await {
                lines += 1;
                bytes += line?.len() as u64;
            }
            ensure!(child.status().await?.success(), "the child failed");
            Ok((lines, bytes))
        })
    })
}
