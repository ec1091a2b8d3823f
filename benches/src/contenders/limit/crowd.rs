//! Reading and reaping, with calls that block.

use std::process::{Child, Command, Stdio};

use anyhow::Result;

use crate::clock::Stopwatch;
use crate::contenders::crowd::Leash;
use crate::job::{Job, Ready};

/// Starts the row's number of children, which wait for one pipe to close, and have a pipe each.
pub(crate) fn start(job: &Job) -> Result<(Leash, Vec<Child>)> {
    let leash = Leash::new()?;
    let mut children = Vec::new();
    for _ in 0..job.crowd {
        let mut hold = Command::new(job.program("hold"));
        hold.stdin(leash.child_end.try_clone()?).stdout(Stdio::piped());
        children.push(hold.spawn()?);
    }
    Ok((leash, children))
}

/// Reads each child's pipe to its end, as everyone in this row must, and waits for the child, with calls that
/// block. Returns microseconds.
pub(super) fn exit_storm(job: &Job) -> Result<Ready> {
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let (leash, children) = start(&job)?;
        let watch = Stopwatch::start();
        leash.let_go();
        for child in children {
            child.wait_with_output()?;
        }
        Ok(watch.micros_each(job.crowd))
    }))
}
