//! processkit, on tokio's current-thread runtime.
//!
//! It is used in the way that is fastest in each row. Programs have absolute paths, because it looks
//! up names itself. Output is captured as bytes, which it does not decode. Lines go to a callback,
//! and none is kept.
//!
//! If it may, processkit makes two control groups for each run. Few programs may do that, and it
//! takes several times as long as a process group. So the contender gives up root first. The rows
//! with control groups are a contender of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};
use processkit::{Command, JobRunner, OutputBufferPolicy, StdioMode, output_all_bytes};
use rustix::process::{Uid, geteuid};
use rustix::thread::set_thread_uid;

use crate::clock::Stopwatch;
use crate::contenders::Prepare;
use crate::contenders::tokio::runtime;
use crate::job::{Job, Ready};

/// A user without rights.
const NOBODY: u32 = 65534;

pub(super) fn row(id: &str) -> Option<Prepare> {
    Some(match id {
        "spawn" => |job| ordinary(job, one_by_one),
        "capture" | "capture-static" => |job| ordinary(job, capture),
        "run-all" => |job| ordinary(job, run_all),
        "lines" => |job| ordinary(job, lines),
        _ => return None,
    })
}

pub(super) fn row_in_control_groups(id: &str) -> Option<Prepare> {
    (id == "capture-static").then_some(capture)
}

/// Prepares the contender as an ordinary user, who may not make control groups.
fn ordinary(job: &Job, prepare: Prepare) -> Result<Ready> {
    if geteuid().is_root() {
        // The program has no other thread yet.
        set_thread_uid(Uid::from_raw(NOBODY))?;
    }
    prepare(job)
}

/// Spawns one child after the other, each read to its end.
fn one_by_one(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        runtime.block_on(async {
            for _ in 0..job.count {
                // The input is a pipe too, which the capture closes.
                let exit0 = Command::new(job.program("exit0")).keep_stdin_open();
                ensure!(exit0.output_bytes().await?.is_success(), "the child failed");
            }
            anyhow::Ok(())
        })?;
        Ok(watch.micros_each(job.count))
    }))
}

/// Captures the output of a silent program, one run after the other. Returns microseconds per run.
fn capture(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let (count, program) = (job.count, job.captured());
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        runtime.block_on(async {
            for _ in 0..count {
                let output = Command::new(&program).output_bytes().await?;
                ensure!(output.is_success(), "the program failed");
            }
            anyhow::Ok(())
        })?;
        Ok(watch.micros_each(count))
    }))
}

/// Runs many commands, two at a time. Returns the milliseconds of all.
fn run_all(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let count = job.crowd;
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        let commands = (0..count).map(|_| Command::new("/bin/true"));
        for result in runtime.block_on(output_all_bytes(commands, 2, &JobRunner)) {
            ensure!(result?.is_success(), "true failed");
        }
        Ok(watch.elapsed().as_secs_f64() * 1e3)
    }))
}

/// Counts the lines that a program writes. Returns gigabytes per second.
fn lines(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let counts: Arc<[AtomicU64; 2]> = Arc::default();
        let seen = Arc::clone(&counts);
        let watch = Stopwatch::start();
        let outcome = runtime.block_on(async {
            let program = Command::new(job.program("lines")).args(job.lines_args());
            let program = program.stderr(StdioMode::Null).on_stdout_line(move |line| {
                seen[0].fetch_add(1, Ordering::Relaxed);
                seen[1].fetch_add(line.len() as u64, Ordering::Relaxed);
            });
            program.output_buffer(OutputBufferPolicy::bounded(0)).start().await?.drain().await
        })?;
        ensure!(outcome.code() == Some(0), "the child failed");
        let [lines, bytes] = [0, 1].map(|at| counts[at].load(Ordering::Relaxed));
        job.check_lines(lines, bytes)?;
        Ok(watch.gigabytes_per_second(job.count))
    }))
}
