//! Spawning: to the end of a child, beside others, and how long the loop stands still.

use anyhow::Result;
use procession::prelude::*;

use super::any;
use crate::clock::{Stopwatch, float};
use crate::contenders::crowd::Ballast;
use crate::job::{Job, Ready};
use crate::{Counter, Input, run};

/// One child after the other, each read to its end.
pub(super) fn one_by_one(job: &Job) -> Result<Ready> {
    // First of all, as a program that opens many descriptors is told to.
    procession::reserve_spawn_fds()?;
    with_late_mailbox(job)
}

/// The same, and the descriptors that the row wants open are opened before the mailbox.
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

/// What the row spawns.
fn command(job: &Job) -> Command {
    let exit0 = Command::new(job.program("exit0"));
    match job.row.as_str() {
        "spawn-1g" => exit0.new_session().child_fd(3, Fd::from_child()),
        "spawn-pty" => exit0.pty(Pty::new()),
        _ => exit0,
    }
}

/// One child after the other while thousands are alive.
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

/// The longest call of `spawn_process` in a round, in microseconds.
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

/// Two at a time: children per second.
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
