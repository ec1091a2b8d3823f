//! pty-process: a child on a terminal, on tokio.

use anyhow::{Result, ensure};
use tokio::io::AsyncReadExt;

use crate::contenders::Prepare;
use crate::contenders::tokio::{rounds, runtime};
use crate::job::{Job, Ready};

pub(super) fn row(id: &str) -> Option<Prepare> {
    matches!(id, "spawn-pty" | "spawn-1g").then_some(one_by_one)
}

fn one_by_one(job: &Job) -> Result<Ready> {
    rounds::one_by_one(job, runtime()?, async |job| {
        let (mut pty, slave) = pty_process::open()?;
        let exit0 = pty_process::Command::new(job.program("exit0"));
        let mut child = exit0.spawn(slave)?;
        // The end of a terminal is reported as an error.
        pty.read_to_end(&mut Vec::new()).await.ok();
        ensure!(child.wait().await?.success(), "the child failed");
        Ok(())
    })
}
