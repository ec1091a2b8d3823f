//! Spawning: to the end of a child, beside other children, and how long the loop is blocked.

use std::time::Duration;

use anyhow::Result;
use procession::prelude::*;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, clock_gettime};

use super::any;
use crate::clock::{Stopwatch, float, ninth_tenth};
use crate::contenders::crowd::Ballast;
use crate::contenders::rounds;
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
    let mut reactor = Reactor::new()?;
    rounds::one_by_one(job, move |job| once(&mut reactor, job))
}

fn once(reactor: &mut Reactor, job: &Job) -> Result<()> {
    run(reactor, command(job), Input::default()).map(drop).map_err(any)
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
    rounds::one_by_one(job, move |job| {
        let _held = &crowd;
        once(&mut reactor, job)
    })
}

/// Returns how long a call of the loop lasts for a child, in nine of ten cases, in microseconds: the
/// one that asks for it, or the turn in which it arrives.
pub(super) fn stall(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let mut stalls = Vec::new();
        for _ in 0..job.count {
            spawn_off_loop(&mut reactor, &job, |reactor, call| {
                let watch = Stopwatch::start();
                let result = call(reactor);
                stalls.push(watch.micros_each(1));
                result
            })?;
        }
        Ok(ninth_tenth(stalls))
    }))
}

/// Returns the processor time of these two calls for each child, in microseconds.
pub(super) fn loop_time(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let mut seconds = 0.0;
        for _ in 0..job.count {
            spawn_off_loop(&mut reactor, &job, |reactor, call| {
                let before = thread_seconds();
                let result = call(reactor);
                seconds += thread_seconds() - before;
                result
            })?;
        }
        Ok(seconds * 1e6 / float(job.count))
    }))
}

/// Starts a child, and waits for its end. Calls `measured` with each of the two calls for its start.
fn spawn_off_loop(
    reactor: &mut Reactor,
    job: &Job,
    mut measured: impl FnMut(&mut Reactor, &mut dyn FnMut(&mut Reactor) -> Result<()>) -> Result<()>,
) -> Result<()> {
    let (protocol, ended) = Counter::new(Input::default());
    let mut asked = Some((protocol, command(job)));
    let mut soon = None;
    measured(reactor, &mut |reactor| {
        let asked = asked.take();
        soon = asked.map(|(protocol, command)| reactor.spawn_process_soon(protocol, command));
        Ok(())
    })?;
    // The child arrives in this turn, and nothing else happens there.
    poll(&mut [PollFd::new(reactor, PollFlags::IN)], None)?;
    measured(reactor, &mut |reactor| Ok(reactor.turn(Some(Duration::ZERO)).map(drop)?))?;
    if let Some(soon) = soon {
        reactor.block_on(soon)?;
    }
    reactor.block_on(ended)?;
    Ok(())
}

/// Returns the processor time of this thread.
fn thread_seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).map_or(0.0, |time| time.as_secs_f64())
}

/// Spawns two children at a time. Returns children per second.
pub(super) fn two_at_a_time(job: &Job) -> Result<Ready> {
    // As in `one_by_one`.
    procession::reserve_spawn_fds()?;
    two_with_late_mailboxes(job)
}

/// Does the same, but opens the row's descriptors before the mailboxes.
pub(super) fn two_with_late_mailboxes(job: &Job) -> Result<Ready> {
    let ballast = Ballast::for_row(job)?;
    let mut reactor = Reactor::new()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let _held = &ballast;
        let watch = Stopwatch::start();
        let halves = [0, 1].map(|_| {
            let (handle, job) = (reactor.handle(), job.clone());
            reactor.spawn_local(async move {
                for _ in 0..job.count / 2 {
                    let (protocol, ended) = Counter::new(Input::default());
                    handle.spawn_process_soon(protocol, command(&job)).await?;
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
