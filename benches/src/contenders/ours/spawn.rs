//! Spawning: to the end of a child, beside other children, and how long the loop is blocked.

use anyhow::Result;
use procession::prelude::*;

use super::any;
use crate::clock::{Stopwatch, float};
use crate::contenders::crowd::Ballast;
use crate::job::{Job, Ready};
use crate::{Counter, Input, run};

/// Spawns one child after the other, each read to its end.
pub(super) fn one_by_one(job: &Job) -> Result<Ready> {
    // Call this first, as the documentation tells a program that opens many descriptors.
    procession::reserve_spawn_fds()?;
    with_late_mailbox(job)
}

/// Does the same, but opens the row's descriptors before the mailbox.
pub(super) fn with_late_mailbox(job: &Job) -> Result<Ready> {
    let ballast = Ballast::for_row(job)?;
    let mut reactor = Reactor::new()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let _held = &ballast;
        let watch = Stopwatch::start();
        for _ in 0..job.count {
            run(&mut reactor, command(&job), Input::default()).map_err(any)?;
        }
        Ok(watch.micros_each(job.count))
    }))
}

/// Returns the command that the row spawns.
fn command(job: &Job) -> Command {
    let exit0 = Command::new(job.program("exit0"));
    match job.row.as_str() {
        "spawn-1g" => exit0.new_session().child_fd(3, Fd::from_child()),
        "spawn-pty" => exit0.pty(Pty::new()),
        _ => exit0,
    }
}

/// Spawns one child after the other, beside thousands of living children.
pub(super) fn beside_a_crowd(job: &Job) -> Result<Ready> {
    procession::reserve_spawn_fds()?;
    let mut reactor = Reactor::new()?;
    let crowd = super::crowd::Crowd::start(&reactor, job)?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let _held = &crowd;
        let watch = Stopwatch::start();
        for _ in 0..job.count {
            run(&mut reactor, command(&job), Input::default()).map_err(any)?;
        }
        Ok(watch.micros_each(job.count))
    }))
}

/// Returns the longest call of `spawn_process` in a round, in microseconds.
pub(super) fn stall(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let mut longest = 0.0_f64;
        for _ in 0..job.count {
            let (protocol, ended) = Counter::new(Input::default());
            let command = command(&job);
            let watch = Stopwatch::start();
            reactor.spawn_process(protocol, command)?;
            longest = longest.max(watch.micros_each(1));
            reactor.block_on(ended)?;
        }
        Ok(longest)
    }))
}

/// Spawns two children at a time. Returns children per second.
pub(super) fn two_at_a_time(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let watch = Stopwatch::start();
        let halves = [0, 1].map(|_| {
            let (handle, job) = (reactor.handle(), job.clone());
            reactor.spawn_local(async move {
                for _ in 0..job.count / 2 {
                    let (protocol, ended) = Counter::new(Input::default());
                    handle.spawn_process(protocol, command(&job))?;
                    ended.await?;
                }
                anyhow::Ok(())
            })
        });
        for half in halves {
            reactor.block_on(half)?;
        }
        Ok(float(job.count) / watch.elapsed().as_secs_f64())
    }))
}
