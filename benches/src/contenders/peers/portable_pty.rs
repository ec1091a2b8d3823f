//! portable-pty: a child on a terminal, blocking.

use std::io::Read;

use anyhow::{Result, ensure};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::clock::Stopwatch;
use crate::contenders::Prepare;
use crate::contenders::crowd::Ballast;
use crate::job::{Job, Ready};

pub(super) fn row(id: &str) -> Option<Prepare> {
    matches!(id, "spawn-pty" | "spawn-1g").then_some(one_by_one)
}

fn one_by_one(job: &Job) -> Result<Ready> {
    let ballast = Ballast::for_row(job)?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let _held = &ballast;
        let watch = Stopwatch::start();
        for _ in 0..job.count {
            let pair = native_pty_system().openpty(PtySize::default())?;
            let mut child = pair.slave.spawn_command(CommandBuilder::new(job.program("exit0")))?;
            drop(pair.slave);
            // The end of a terminal is reported as an error.
            pair.master.try_clone_reader()?.read_to_end(&mut Vec::new()).ok();
            ensure!(child.wait()?.success(), "the child failed");
        }
        Ok(watch.micros_each(job.count))
    }))
}
