//! pty-process: a child on a terminal, on tokio.

use anyhow::{Result, ensure};
use tokio::io::AsyncReadExt;
use tokio::runtime::Builder;

use crate::clock::Stopwatch;
use crate::contenders::Prepare;
use crate::contenders::crowd::Ballast;
use crate::job::{Job, Ready};

pub(super) fn row(id: &str) -> Option<Prepare> {
    matches!(id, "spawn-pty" | "spawn-1g").then_some(one_by_one)
}

fn one_by_one(job: &Job) -> Result<Ready> {
    let ballast = Ballast::for_row(job)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let job = job.clone();
    Ok(Ready::rounds(move || {
        let _held = &ballast;
        let watch = Stopwatch::start();
        runtime.block_on(async {
            for _ in 0..job.count {
                let (mut pty, slave) = pty_process::open()?;
                let exit0 = pty_process::Command::new(job.program("exit0"));
                let mut child = exit0.spawn(slave)?;
                // The end of a terminal is reported as an error.
                pty.read_to_end(&mut Vec::new()).await.ok();
                ensure!(child.wait().await?.success(), "the child failed");
            }
            anyhow::Ok(())
        })?;
        Ok(watch.micros_each(job.count))
    }))
}
