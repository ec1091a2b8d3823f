//! Thousands of children at once.

use std::future::pending;
use std::process::Stdio;

use anyhow::Result;
use tokio::process::{Child, Command};

use super::runtime;
use crate::clock::{Stopwatch, float};
use crate::contenders::crowd::{Leash, resident_bytes};
use crate::job::{Job, Ready};

/// Starts the row's number of children, which wait for one pipe to close, and have a pipe each.
pub(super) fn start(job: &Job) -> Result<(Leash, Vec<Child>)> {
    let leash = Leash::new()?;
    let mut children = Vec::new();
    for _ in 0..job.crowd {
        let mut hold = Command::new(job.program("hold"));
        hold.stdin(leash.child_end.try_clone()?).stdout(Stdio::piped()).stderr(Stdio::null());
        children.push(hold.spawn()?);
    }
    Ok((leash, children))
}

/// Ends all children at once. Returns the microseconds per child until the last has ended.
pub(super) fn exit_storm(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        runtime.block_on(async {
            let (leash, children) = start(&job)?;
            let waits = children.into_iter().map(|child| tokio::spawn(child.wait_with_output()));
            let waits: Vec<_> = waits.collect();
            // Every wait has begun before the children end.
            tokio::task::yield_now().await;
            let watch = Stopwatch::start();
            leash.let_go();
            for wait in waits {
                wait.await??;
            }
            Ok(watch.micros_each(job.crowd))
        })
    }))
}

/// Returns how many resident bytes of this process each child takes.
pub(super) fn memory(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        runtime.block_on(async {
            let one = Job { crowd: 1, ..job.clone() };
            let first = start(&one)?;
            tokio::task::yield_now().await;
            let before = resident_bytes()?;
            let crowd = start(&job)?;
            tokio::task::yield_now().await;
            let after = resident_bytes()?;
            drop((first, crowd));
            Ok(float(after.saturating_sub(before)) / float(job.crowd))
        })
    }))
}

/// Starts children that write, and reads nothing.
pub(super) fn idle(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let guard = runtime.enter();
    let mut children = Vec::new();
    for _ in 0..job.crowd {
        let mut flood = Command::new(job.program("flood"));
        children.push(flood.arg("4096").stdout(Stdio::piped()).spawn()?);
    }
    drop(guard);
    Ok(Ready::rounds(move || {
        let _held = &children;
        runtime.block_on(pending())
    }))
}
