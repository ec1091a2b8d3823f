//! The one-call helpers.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Result, ensure};
use procession::prelude::*;
use procession::{Keep, run_all as run_them_all};

use crate::clock::Stopwatch;
use crate::contenders::rounds;
use crate::job::{Job, Ready};

/// Captures the output of a silent program, one run after the other. Returns microseconds per run.
pub(super) fn capture(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let program = job.captured();
    rounds::one_by_one(job, move |_| {
        let outcome = reactor.block_on(Run::new(&program).output())?;
        ensure!(outcome.is_success(), "the program failed");
        Ok(())
    })
}

/// Runs many commands, two at a time. Returns the milliseconds of all.
pub(super) fn run_all(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let count = job.crowd;
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        let commands = (0..count).map(|_| Command::new("/bin/true"));
        for result in reactor.block_on(run_them_all(commands, 2))? {
            ensure!(result?.is_success(), "true failed");
        }
        Ok(watch.elapsed().as_secs_f64() * 1e3)
    }))
}

/// Counts the lines that a program writes. Returns gigabytes per second.
pub(super) fn lines(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    rounds::lines(job, move |job| {
        let seen = Rc::new(Cell::new((0, 0)));
        let count = Rc::clone(&seen);
        let run = Run::new(job.program("lines")).args(job.lines_args()).keep(Keep::nothing());
        let run = run.for_each_line(move |line| {
            let (lines, bytes) = count.get();
            count.set((lines + 1, bytes + line.text.len() as u64));
        });
        ensure!(reactor.block_on(run)?.is_success(), "the child failed");
        Ok(seen.get())
    })
}

/// Does the same with a stream of lines, which waits for each line.
pub(super) fn lines_of_stream(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    rounds::lines(job, move |job| {
        reactor.block_on(async {
            let program = Command::new(job.program("lines")).args(job.lines_args());
            let mut child = Handle::current().spawn_child(program)?;
            let (mut lines, mut bytes) = (0, 0);
            let mut all = child.stdout().lines();
            while let Some(line) = all.next().await {
                lines += 1;
                bytes += line.len() as u64;
            }
            drop(all);
            child.wait().await?;
            Ok((lines, bytes))
        })
    })
}
