//! `std::process`: blocking calls, no loop.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

use super::Prepare;
use super::crowd::Ballast;
use super::{limit, rounds};
use crate::clock::{Stopwatch, float, ninth_tenth};
use crate::job::{Job, Ready};
use crate::sys;

pub(super) fn row(id: &str) -> Option<Prepare> {
    Some(match id {
        "spawn" | "spawn-1g" | "spawn-18k" | "spawn-5k" | "blocking-spawn" => one_by_one,
        "spawn-stall" => stall,
        "spawn-rate-2" | "spawn-rate-2-3k" => two_threads,
        "bulk-out-128k" | "bulk-out-4k" | "bulk-out-one-cpu" => from_child,
        "forward" => forward,
        "forward-cpu" => forward_cpu,
        "echo" | "blocking-echo" => echo,
        "capture" | "capture-static" | "blocking-capture" | "blocking-capture-static" => capture,
        "lines" => lines,
        _ => return None,
    })
}

fn command(job: &Job) -> Command {
    let mut command = Command::new(job.program("exit0"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if job.row == "spawn-1g" {
        sys::new_session(&mut command);
    }
    command
}

fn once(job: &Job) -> Result<()> {
    let output = command(job).spawn()?.wait_with_output()?;
    ensure!(output.status.success(), "the child failed");
    Ok(())
}

fn one_by_one(job: &Job) -> Result<Ready> {
    let crowd = match job.row.as_str() {
        "spawn-5k" => Some(limit::crowd::start(job)?),
        _ => None,
    };
    rounds::one_by_one(job, move |job| {
        let _held = &crowd;
        once(job)
    })
}

fn stall(job: &Job) -> Result<Ready> {
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let mut stalls = Vec::new();
        for _ in 0..job.count {
            let mut command = command(&job);
            let watch = Stopwatch::start();
            let child = command.spawn()?;
            stalls.push(watch.micros_each(1));
            child.wait_with_output()?;
        }
        Ok(ninth_tenth(stalls))
    }))
}

/// Uses two threads, which a blocking library needs for two children at a time.
fn two_threads(job: &Job) -> Result<Ready> {
    let ballast = Ballast::for_row(job)?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let _held = &ballast;
        let watch = Stopwatch::start();
        let halves = [0, 1].map(|_| {
            let job = job.clone();
            thread::spawn(move || (0..job.count / 2).try_for_each(|_| once(&job)))
        });
        for half in halves {
            half.join().map_err(|_| anyhow!("a thread panicked"))??;
        }
        Ok(float(job.count) / watch.elapsed().as_secs_f64())
    }))
}

fn flood(job: &Job) -> Result<Child> {
    let mut flood = Command::new(job.program("flood"));
    Ok(flood.args(job.flood_args()).stdout(Stdio::piped()).spawn()?)
}

fn from_child(job: &Job) -> Result<Ready> {
    let mut buffer = vec![0; 64 << 10];
    rounds::bulk(job, move |job| {
        let mut child = flood(job)?;
        let mut out = child.stdout.take().context("no stdout")?;
        let received = rounds::read_all(&mut out, &mut buffer)?;
        ensure!(child.wait()?.success(), "the child failed");
        Ok(received)
    })
}

fn forward(job: &Job) -> Result<Ready> {
    rounds::bulk(job, move_all)
}

fn forward_cpu(job: &Job) -> Result<Ready> {
    rounds::bulk_cpu(job, move_all)
}

/// `io::copy` detects that both are pipes, and splices.
fn move_all(job: &Job) -> Result<u64> {
    let mut sink = Command::new(job.program("sink")).stdin(Stdio::piped()).spawn()?;
    let mut flood = flood(job)?;
    let (input, out) = (sink.stdin.take(), flood.stdout.take());
    let (mut input, mut out) = (input.context("no stdin")?, out.context("no stdout")?);
    let moved = std::io::copy(&mut out, &mut input)?;
    drop(input);
    ensure!(flood.wait()?.success() && sink.wait()?.success(), "a child failed");
    Ok(moved)
}

fn echo(job: &Job) -> Result<Ready> {
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (input, out) = (cat.stdin.take(), cat.stdout.take());
    rounds::echo(job, cat, input.context("no stdin")?, out.context("no stdout")?)
}

fn capture(job: &Job) -> Result<Ready> {
    let program = job.captured();
    rounds::one_by_one(job, move |_| {
        ensure!(Command::new(&program).output()?.status.success(), "the program failed");
        Ok(())
    })
}

fn lines(job: &Job) -> Result<Ready> {
    rounds::lines(job, |job| {
        let mut program = Command::new(job.program("lines"));
        let mut child = program.args(job.lines_args()).stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().context("no stdout")?;
        let (mut lines, mut bytes) = (0, 0);
        for line in BufReader::with_capacity(64 << 10, out).lines() {
            lines += 1;
            bytes += line?.len() as u64;
        }
        ensure!(child.wait()?.success(), "the child failed");
        Ok((lines, bytes))
    })
}
