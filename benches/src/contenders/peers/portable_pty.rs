//! portable-pty: a child on a terminal, blocking.

use std::io::Read;

use anyhow::{Result, ensure};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::contenders::{Prepare, rounds};
use crate::job::{Job, Ready};

pub(super) fn row(id: &str) -> Option<Prepare> {
    matches!(id, "spawn-pty" | "spawn-1g").then_some(one_by_one)
}

fn one_by_one(job: &Job) -> Result<Ready> {
    rounds::one_by_one(job, |job| {
        let pair = native_pty_system().openpty(PtySize::default())?;
        let mut child = pair.slave.spawn_command(CommandBuilder::new(job.program("exit0")))?;
        drop(pair.slave);
        // The end of a terminal is reported as an error.
        pair.master.try_clone_reader()?.read_to_end(&mut Vec::new()).ok();
        ensure!(child.wait()?.success(), "the child failed");
        Ok(())
    })
}
