//! What a round of several libraries measures, and in which unit. The contender brings the work.

use std::io::{Read, Write};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Result, anyhow, ensure};

use super::crowd::{Ballast, cpu_seconds};
use crate::clock::{Stopwatch, float};
use crate::job::{Job, Ready};

/// Calls `once` the row's number of times, beside its memory and descriptors. Returns microseconds for
/// each call.
pub(super) fn one_by_one(
    job: &Job,
    mut once: impl FnMut(&Job) -> Result<()> + 'static,
) -> Result<Ready> {
    let ballast = Ballast::for_row(job)?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let _held = &ballast;
        let watch = Stopwatch::start();
        for _ in 0..job.count {
            once(&job)?;
        }
        Ok(watch.micros_each(job.count))
    }))
}

/// Sends one byte to `cat` and back, with calls that block.
pub(super) fn echo(
    job: &Job,
    cat: impl Sized + 'static,
    mut input: impl Write + 'static,
    mut out: impl Read + 'static,
) -> Result<Ready> {
    let mut byte = [b'x'];
    one_by_one(job, move |_| {
        let _held = &cat;
        input.write_all(&byte)?;
        Ok(out.read_exact(&mut byte)?)
    })
}

/// Has `work` move the row's bytes, and return how many those were. Returns gigabytes per second.
pub(super) fn bulk(
    job: &Job,
    mut work: impl FnMut(&Job) -> Result<u64> + 'static,
) -> Result<Ready> {
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        let moved = work(&job)?;
        ensure!(moved == job.count, "{moved} bytes came of {}", job.count);
        Ok(watch.gigabytes_per_second(moved))
    }))
}

/// Does the same. Returns milliseconds of this process's processor time per gigabyte.
pub(super) fn bulk_cpu(
    job: &Job,
    mut work: impl FnMut(&Job) -> Result<u64> + 'static,
) -> Result<Ready> {
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let before = cpu_seconds();
        let moved = work(&job)?;
        ensure!(moved == job.count, "{moved} bytes came of {}", job.count);
        Ok((cpu_seconds() - before) * 1e3 / (float(job.count) / 1e9))
    }))
}

/// Has `count` count the row's lines, and their bytes without the line feeds. Returns gigabytes per
/// second.
pub(super) fn lines(
    job: &Job,
    mut count: impl FnMut(&Job) -> Result<(u64, u64)> + 'static,
) -> Result<Ready> {
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        let (lines, bytes) = count(&job)?;
        job.check_lines(lines, bytes)?;
        Ok(watch.gigabytes_per_second(job.count))
    }))
}

/// Reads to the end with calls that block, and returns how many bytes came.
pub(super) fn read_all(from: &mut impl Read, buffer: &mut [u8]) -> Result<u64> {
    let mut received = 0;
    loop {
        match from.read(buffer)? {
            0 => return Ok(received),
            bytes => received += bytes as u64,
        }
    }
}

/// Calls the loop of another thread `count` times, each time when the last call was answered. Returns the
/// microseconds of both ways.
pub(super) fn calls(count: u64, mut call: impl FnMut(Sender<()>) -> Result<()>) -> Result<f64> {
    let (answer, answered) = channel();
    let watch = Stopwatch::start();
    for _ in 0..count {
        call(answer.clone())?;
        answered.recv()?;
    }
    Ok(watch.micros_each(count))
}

/// Waits for the figure of the thread that calls.
pub(super) fn join(caller: JoinHandle<Result<f64>>) -> Result<f64> {
    caller.join().map_err(|_| anyhow!("the calling thread panicked"))?
}
