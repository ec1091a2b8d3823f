//! Thousands of children at once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use procession::gather;
use procession::prelude::*;

use crate::clock::{Stopwatch, float};
use crate::contenders::crowd::{Leash, resident_bytes};
use crate::job::{Job, Ready};

/// Children that wait for one pipe to close. Each has one pipe to this process.
pub(super) struct Crowd {
    leash: Leash,
    processes: Vec<Process>,
}

impl Crowd {
    /// Starts the row's number of children.
    pub(super) fn start(reactor: &Handle, job: &Job) -> Result<Self> {
        let leash = Leash::new()?;
        let mut crowd = Self { leash, processes: Vec::new() };
        let input = Arc::new(crowd.leash.child_end.try_clone()?);
        let command = Command::new(job.program("hold"))
            .child_fd(0, Fd::inherit(input))
            .child_fd(1, Fd::from_child())
            .child_fd(2, Fd::null());
        for _ in 0..job.crowd {
            crowd.processes.push(reactor.spawn_process(Deaf, command.clone())?);
        }
        Ok(crowd)
    }
}

/// Ends all children at once. Returns the microseconds per child until the last has ended.
pub(super) fn exit_storm(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let crowd = Crowd::start(&reactor, &job)?;
        let ended: Vec<_> = crowd.processes.iter().map(Process::ended).collect();
        let watch = Stopwatch::start();
        crowd.leash.let_go();
        reactor.block_on(gather(ended))?;
        Ok(watch.micros_each(job.crowd))
    }))
}

/// Returns how many resident bytes of this process each child takes.
pub(super) fn memory(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        // Start one child first, so that one-time allocations are not counted.
        let one = Job { crowd: 1, ..job.clone() };
        let first = Crowd::start(&reactor, &one)?;
        reactor.turn(Some(Duration::ZERO))?;
        let before = resident_bytes()?;
        let crowd = Crowd::start(&reactor, &job)?;
        reactor.turn(Some(Duration::ZERO))?;
        let after = resident_bytes()?;
        drop((first, crowd));
        Ok(float(after.saturating_sub(before)) / float(job.crowd))
    }))
}

/// Starts children that write, and reads nothing.
pub(super) fn idle(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let flood = Command::new(job.program("flood")).arg("4096");
    let mut processes = Vec::new();
    for _ in 0..job.crowd {
        let process = reactor.spawn_process(Deaf, flood.clone())?;
        process.pause_all();
        processes.push(process);
    }
    Ok(Ready::rounds(move || {
        let _held = &processes;
        reactor.run()?;
        Ok(0.0)
    }))
}

struct Deaf;

impl ProcessProtocol for Deaf {}
