//! subprocess: blocking, with its own fork and exec.

use anyhow::{Result, ensure};
use subprocess::{Exec, Redirection};

use crate::contenders::{Prepare, rounds};
use crate::job::{Job, Ready};

pub(super) fn row(id: &str) -> Option<Prepare> {
    Some(match id {
        "spawn" | "spawn-18k" | "blocking-spawn" => one_by_one,
        "capture" | "blocking-capture" => capture,
        _ => return None,
    })
}

fn one_by_one(job: &Job) -> Result<Ready> {
    rounds::one_by_one(job, |job| {
        let exit0 = Exec::cmd(job.program("exit0")).stdin(Redirection::Pipe);
        let exit0 = exit0.stdout(Redirection::Pipe).stderr(Redirection::Pipe);
        ensure!(exit0.capture()?.success(), "the child failed");
        Ok(())
    })
}

fn capture(job: &Job) -> Result<Ready> {
    rounds::one_by_one(job, |_| {
        let exec = Exec::cmd("/bin/true").stdout(Redirection::Pipe).stderr(Redirection::Pipe);
        ensure!(exec.capture()?.success(), "true failed");
        Ok(())
    })
}
